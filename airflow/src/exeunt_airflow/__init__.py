"""exeunt for Airflow: adds exeunt's agent to the pods of Airflow tasks, which ends the Istio proxy when the task ends.

It is enough to install the package: Airflow finds `exeunt_airflow.policy` through the entry point group `airflow.policy`. If you
do not want to use entry points, import the same hook in `airflow_local_settings.py`:

    from exeunt_airflow import pod_mutation_hook

    __all__ = ["pod_mutation_hook"]

You can use both: a pod that already has an agent stays unchanged.
"""

from typing import TYPE_CHECKING, Any

from exeunt_airflow.complete import complete
from exeunt_airflow.hook import pod_mutation_hook
from exeunt_airflow.version import VERSION

if TYPE_CHECKING:
    from exeunt_airflow.callback import ExeuntCallback

__all__ = ["VERSION", "ExeuntCallback", "complete", "pod_mutation_hook"]


def __getattr__(name: str) -> Any:
    """Imports the callback on first use: it needs Airflow's provider, and an image that only calls `complete` may not have it."""
    if name == "ExeuntCallback":
        from exeunt_airflow.callback import ExeuntCallback

        return ExeuntCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
