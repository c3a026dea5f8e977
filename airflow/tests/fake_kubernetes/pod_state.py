"""Reads the state of a pod from the status that kubelet has reported."""

from collections.abc import Container

from exeunt_airflow.container_names import AGENT, PROXY, XCOM_HELPER

from .store import Json


def has_ended(pod: Json) -> bool:
    """Whether the pod has ended."""
    return pod["status"]["phase"] in ("Succeeded", "Failed")


def proxy_is_running(pod: Json) -> bool:
    """Whether the proxy runs, in either form."""
    return any(one["name"] == PROXY and "running" in one["state"] for one in [*_regular(pod), *_sidecars(pod)])


def can_never_end(pod: Json) -> bool:
    """Whether of the regular containers only the proxy still runs, and the pod has no agent that sees the end of the task."""
    has_agent = any(one["name"] == AGENT for one in [*_regular(pod), *_sidecars(pod)])
    watched = has_agent and pod["spec"].get("shareProcessNamespace", False)
    return not watched and [one["name"] for one in _regular(pod) if "running" in one["state"]] == [PROXY]


def waits_for_client(pod: Json, followed: Container[str]) -> bool:
    """Whether only the XCom helper runs, which waits for its client, while the client waits for the end of a sidecar's log.

    A sidecar ends after the helper, so neither can go on.
    """
    running = [one["name"] for one in _regular(pod) if "running" in one["state"]]
    return running == [XCOM_HELPER] and any(one["name"] in followed for one in _sidecars(pod))


def _regular(pod: Json) -> list[Json]:
    return pod["status"].get("containerStatuses") or []


def _sidecars(pod: Json) -> list[Json]:
    return pod["status"].get("initContainerStatuses") or []
