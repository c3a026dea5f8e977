"""What the scenarios need on this machine: a Python with Airflow, which ./build.sh e2e --airflow installs."""

import os
from typing import TYPE_CHECKING

from ..errors import RunError
from ..preflight import Right, refusal

if TYPE_CHECKING:
    from ..kube import Kube

# Set by build/cluster.sh; empty if Airflow could not be installed.
VARIABLE = "EXEUNT_AIRFLOW_PYTHON"
PYTHON = os.environ.get(VARIABLE)
# What the operators do beside what every run does.
_RIGHTS: tuple[Right, ...] = (
    *((verb, "", "pods/exec") for verb in ("get", "create")),
    ("list", "", "events"),
    ("list", "batch", "jobs"),
)


def check(kube: "Kube", namespace: str, *, asked: bool) -> None:
    """Refuses a run that would test nothing because there is no Airflow, and one without the rights."""
    if not asked:
        return
    lines = [line for right in _RIGHTS for line in refusal(kube, namespace, *right)]
    if not PYTHON:
        why = "airflow/tests/requirements-airflow-3.3.txt could not be installed, so nothing was tested"
        lines.insert(0, f"SKIPPED --airflow: {why}; ./build.sh test airflow needs the same packages")
    if lines:
        raise RunError(*lines)
