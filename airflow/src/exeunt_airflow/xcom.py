"""Airflow's XCom helper in a pod whose containers share their process namespace.

Before version 10.4.3 the provider ended the helper with a signal to process 1. With shared processes that is the pod's pause
process (apache/airflow#45047): either the helper keeps running, or the whole pod ends at once. Newer providers find the helper by
its command line.
"""

import importlib.metadata
import re
from typing import TYPE_CHECKING

from exeunt_airflow import container_field
from exeunt_airflow.container_names import XCOM_HELPER
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

_PROVIDER = "apache-airflow-providers-cncf-kubernetes"
_FIRST_SAFE = (10, 4, 3)


def check(pod: "V1Pod") -> None:
    """Raises `NeedsAttention` if the pod has an XCom helper that the installed provider could not end."""
    if not any(container_field.name(container) == XCOM_HELPER for container in pod.spec.containers):
        return
    installed = importlib.metadata.version(_PROVIDER)
    if tuple(int(number) for number in re.findall(r"\d+", installed)[:3]) < _FIRST_SAFE:
        needed = ".".join(map(str, _FIRST_SAFE))
        raise NeedsAttention(
            f"it has {XCOM_HELPER}, which {_PROVIDER} {installed} cannot end in a pod with an agent: {needed} or newer can"
        )
