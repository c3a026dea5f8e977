"""Airflow's XCom helper in a pod whose containers share their processes.

Until provider 10.4.3 it was ended by a signal to process 1, which is then the pod's own pause process (apache/airflow#45047): the
helper stays, or the whole pod dies at once. Since then it is looked for by its command line.
"""

import importlib.metadata
import re
from typing import TYPE_CHECKING

from exeunt_airflow.reasons import InDoubt

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

_HELPER = "airflow-xcom-sidecar"
_PROVIDER = "apache-airflow-providers-cncf-kubernetes"
_ENDS_BY_NAME = (10, 4, 3)


def check(pod: "V1Pod") -> None:
    """Returns unless sharing processes would harm this pod's helper."""
    if not any(container.name == _HELPER for container in pod.spec.containers):
        return
    installed = importlib.metadata.version(_PROVIDER)
    if tuple(int(number) for number in re.findall(r"\d+", installed)[:3]) < _ENDS_BY_NAME:
        needed = ".".join(map(str, _ENDS_BY_NAME))
        raise InDoubt(f"it has {_HELPER}, and {_PROVIDER} {installed} cannot end that beside an agent: {needed} can")
