"""The hook that Airflow calls for each pod. It applies all of its changes or none, and it never raises an exception."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exeunt_airflow import followed_logs, missing_image
from exeunt_airflow.log import log, warn_once
from exeunt_airflow.settings import InvalidSettings, Settings, read, source
from exeunt_airflow.unchanged import NeedsAttention, NotApplicable

if TYPE_CHECKING:
    from kubernetes.client import V1Pod


def pod_mutation_hook(pod: "V1Pod") -> None:
    """Adds the agent to the pod, in place. If that is not safe, the pod stays unchanged and a warning gives the reason."""
    try:
        settings, mistakes = settings_or_none(), _loaded().mistakes
        if mistakes:
            # Only the scheduler's log has what was told when the process started. With the first pod the task's log has it, too.
            warn_once(mistakes)
        if settings is not None and settings.enabled:
            # Also for a pod whose template has an agent: the hook leaves that one unchanged.
            followed_logs.leave_out_the_agent()
            missing_image.tell_when_a_pod_is_read()
            add_agent(pod, settings)
    except NotApplicable as reason:
        log.debug("exeunt leaves pod %s unchanged: %s", _name(pod), reason)
    except NeedsAttention as reason:
        log.warning("exeunt leaves pod %s unchanged: %s", _name(pod), reason)
    except Exception:  # noqa: BLE001 - an exception here would fail the task
        log.warning("exeunt leaves pod %s unchanged, because of an error in exeunt", _name(pod), exc_info=True)


@dataclass(frozen=True)
class _Loaded:
    """What one process has read."""

    # None: no pod may be changed with them.
    settings: Settings | None
    # All mistakes and what follows from them, in one line. Empty if there are none.
    mistakes: str = ""


def settings_or_none() -> Settings | None:
    """The settings, read once in a process, and each mistake in them logged. `None` if no pod may be changed with them."""
    return _loaded().settings


@functools.cache
def _loaded() -> _Loaded:
    try:
        settings, mistakes = read(source())
    except InvalidSettings as invalid:
        _log_each(invalid.mistakes)
        log.error("exeunt is off until the mistakes in [exeunt] are corrected: pods stay unchanged")
        return _Loaded(None, f"exeunt leaves every pod unchanged, because of its settings: {'; '.join(invalid.mistakes)}")
    except Exception:  # noqa: BLE001 - Airflow must start anyway
        log.error("exeunt is off: its settings could not be read", exc_info=True)
        return _Loaded(None, "exeunt leaves every pod unchanged: its settings could not be read")
    _log_each(mistakes)
    if not mistakes or not settings.enabled:
        return _Loaded(settings)
    log.error("exeunt is on: it ignores the mistakes in [exeunt], and uses its defaults there")
    return _Loaded(settings, f"exeunt uses its defaults in place of settings with mistakes: {'; '.join(mistakes)}")


def _log_each(mistakes: list[str]) -> None:
    for mistake in mistakes:
        log.error("%s", mistake)


def add_agent(pod: "V1Pod", settings: Settings) -> None:
    """Adds the agent, or raises `Unchanged` with the reason why the pod gets none."""
    # Every process of Airflow loads the hook, but only few make pods, and the Kubernetes client takes half a second to import.
    from exeunt_airflow import grace_period, helpers, xcom
    from exeunt_airflow.form import CLUSTERS, Form, choose
    from exeunt_airflow.mutation import mutation_of

    def form_of(pod: "V1Pod") -> Form:
        form = choose(pod, settings, CLUSTERS)
        if form.shares_processes or helpers.of(pod, settings).are_to_end:
            xcom.check(pod)
        return form

    mutation = mutation_of(pod, settings, form_of)
    mutation.apply(pod)
    if mutation.raised_grace_period is not None:
        warn_once(grace_period.price(mutation.raised_grace_period))


def _name(pod: object) -> str:
    metadata = getattr(pod, "metadata", None)
    return str(getattr(metadata, "name", None) or getattr(metadata, "generate_name", None) or "without a name")
