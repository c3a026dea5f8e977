"""exeunt for Airflow: a task's pod under Istio ends when its task ends.

Installing the package is enough: Airflow finds `exeunt_airflow.policy` by the entry point group `airflow.policy`. Where that is
not wanted, `airflow_local_settings.py` takes the same hook:

    from exeunt_airflow import pod_mutation_hook

    __all__ = ["pod_mutation_hook"]

Both at once do no harm: a pod that has its agent is left alone.
"""

from typing import TYPE_CHECKING, Any

from exeunt_airflow.complete import complete
from exeunt_airflow.hook import pod_mutation_hook
from exeunt_airflow.version import VERSION

if TYPE_CHECKING:
    from exeunt_airflow.callback import ExeuntCallback

__all__ = ["VERSION", "ExeuntCallback", "complete", "pod_mutation_hook"]


def __getattr__(name: str) -> Any:
    """The callback needs Airflow's provider; the rest, such as `complete` in a task's own image, does not."""
    if name == "ExeuntCallback":
        from exeunt_airflow.callback import ExeuntCallback

        return ExeuntCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
