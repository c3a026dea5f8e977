"""The hook that Airflow calls. Its law: it changes a pod wholly or not at all, and never raises into Airflow."""

import functools
from typing import TYPE_CHECKING

from exeunt_airflow.log import log
from exeunt_airflow.reasons import InDoubt, NotConcerned
from exeunt_airflow.settings import Mistakes, Settings, read, source

if TYPE_CHECKING:
    from kubernetes.client import V1Pod


def pod_mutation_hook(pod: "V1Pod") -> None:
    """Gives the pod its agent, in place; one that is not understood goes out as it came, with a warning that says why."""
    try:
        settings = settings_or_none()
        if settings is not None and settings.enabled:
            _give_agent(pod, settings)
    except NotConcerned as reason:
        log.debug("pod %s is left as it is: %s", _name(pod), reason)
    except InDoubt as reason:
        log.warning("exeunt leaves pod %s as it is: %s", _name(pod), reason)
    except Exception:  # noqa: BLE001 - an exception here would fail the task
        log.warning("exeunt leaves pod %s as it is, by an error of its own", _name(pod), exc_info=True)


@functools.cache
def settings_or_none() -> Settings | None:
    """The settings, read once; `None` if there are mistakes in them, each of which has then been told."""
    try:
        return read(source())
    except Mistakes as mistakes:
        for sentence in mistakes.sentences:
            log.error("%s", sentence)
        log.error("exeunt is off until the mistakes in [exeunt] are corrected: pods go out as they are")
    except Exception:  # noqa: BLE001 - Airflow must start all the same
        log.error("exeunt is off: its settings could not be read", exc_info=True)
    return None


def _give_agent(pod: "V1Pod", settings: Settings) -> None:
    # Every process of Airflow's loads the hook, few make pods, and Kubernetes' client alone takes half a second to import.
    from exeunt_airflow import xcom
    from exeunt_airflow.amend import amend
    from exeunt_airflow.placement import CLUSTERS, choose

    def placement_of(one: "V1Pod") -> str:
        xcom.check(one)
        return choose(one, settings, CLUSTERS)

    amend(pod, settings, placement_of).apply(pod)


def _name(pod: object) -> str:
    metadata = getattr(pod, "metadata", None)
    return str(getattr(metadata, "name", None) or getattr(metadata, "generate_name", None) or "without a name")
