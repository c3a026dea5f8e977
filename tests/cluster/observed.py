"""Reads a pod's JSON: the end of each container, the agent's verdict, and how much later than its task the pod has ended."""

import json
from datetime import datetime
from typing import Any

from .shape import AGENT, PROXY

Json = dict[str, Any]

# Plain init containers, which end before the task starts.
BEFOREHAND = ("istio-init", "istio-validation", "unpack")
# How `why_it_cannot_start` begins for a pod that the scheduler may still place.
UNSCHEDULABLE = "it cannot be scheduled"
# Reasons for waiting that do not go away with time.
_PERMANENT = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError")


def containers(pod: Json) -> dict[str, Json]:
    """The status of each container, init containers included."""
    status = pod.get("status", {})
    lists = (status.get("initContainerStatuses"), status.get("containerStatuses"))
    return {one["name"]: one for several in lists for one in several or []}


def phase(pod: Json) -> str:
    """Pending, Running, Succeeded or Failed."""
    return str(pod.get("status", {}).get("phase", "Pending"))


def has_ended(pod: Json) -> bool:
    """Whether the pod has ended; then it does not start again."""
    return phase(pod) in ("Succeeded", "Failed")


def terminated(pod: Json, container: str) -> Json | None:
    """The end of a container; `None` while it runs or waits."""
    state: Json = containers(pod).get(container, {}).get("state", {})
    return state.get("terminated")


def finished_at(pod: Json, container: str) -> datetime | None:
    """When a container has ended, in whole seconds; `None` while it runs or waits."""
    end = terminated(pod, container)
    return _time(end["finishedAt"]) if end and end.get("finishedAt") else None


def started_at(pod: Json, container: str) -> datetime | None:
    """When a container that has ended had started, in whole seconds."""
    end = terminated(pod, container)
    return _time(end["startedAt"]) if end and end.get("startedAt") else None


def created_at(pod: Json) -> datetime:
    """When the pod was created, in whole seconds."""
    return _time(pod["metadata"]["creationTimestamp"])


def is_running(pod: Json, container: str) -> bool:
    """Whether the container runs now."""
    return "running" in containers(pod).get(container, {}).get("state", {})


def has_started(pod: Json, container: str) -> bool:
    """Whether the container runs or has ended."""
    return is_running(pod, container) or terminated(pod, container) is not None


def is_ambient(pod: Json) -> bool:
    """Whether Istio's node agent redirects the pod's traffic to ztunnel (istio, `cni/pkg/util/podutil.go`)."""
    return bool(pod["metadata"].get("annotations", {}).get("ambient.istio.io/redirection") == "enabled")


def waiting_reason(pod: Json, container: str) -> str:
    """The reason why a container waits, as `CrashLoopBackOff`; empty if it does not wait."""
    state = containers(pod).get(container, {}).get("state", {})
    return str(state.get("waiting", {}).get("reason", ""))


def waiting_message(pod: Json, container: str) -> str:
    """Kubelet's messages about a container that waits: why it waits, and how its last run ended."""
    status = containers(pod).get(container, {})
    last = status.get("lastState", {}).get("terminated", {})
    return f"{status.get('state', {}).get('waiting', {}).get('message', '')} {last.get('message', '')}".strip()


def restarts(pod: Json, container: str) -> int:
    """How often kubelet has restarted the container."""
    return int(containers(pod).get(container, {}).get("restartCount", 0))


def exit_codes(pod: Json) -> dict[str, int]:
    """The exit codes of the containers that have ended, without the plain init containers."""
    ends = {name: terminated(pod, name) for name in containers(pod) if name not in BEFOREHAND}
    return {name: int(end["exitCode"]) for name, end in ends.items() if end is not None}


def last_json(text: str, key: str) -> Json | None:
    """The last line of `text` that is an object with `key`."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict) and key in value:
                return value
    return None


def verdict(pod: Json, agent: str = AGENT) -> Json | None:
    """The verdict in the agent's termination message."""
    status = containers(pod).get(agent, {})
    for state in (status.get("state", {}), status.get("lastState", {})):
        found = last_json(state.get("terminated", {}).get("message") or "", "proxy")
        if found is not None:
            return found
    return None


def seconds_after(pod: Json, main_containers: list[str]) -> int | None:
    """The time from the end of the last main container to the end of the pod's last container; `None` while either runs."""
    ends = {name: terminated(pod, name) for name in containers(pod)}
    needed = [*main_containers, *(name for name in (AGENT, PROXY) if name in ends)]
    if any(ends.get(name) is None for name in needed):
        return None
    times = {name: _time(end["finishedAt"]) for name, end in ends.items() if end and end.get("finishedAt")}
    if not all(name in times for name in main_containers):
        return None
    return round((max(times.values()) - max(times[name] for name in main_containers)).total_seconds())


def why_it_cannot_start(pod: Json) -> str:
    """Why a pod cannot start, with the container and its image; empty if it still can."""
    images = {one["name"]: one["image"] for one in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]}
    for name, status in containers(pod).items():
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _PERMANENT:
            return f"container {name}, image {images.get(name)}: {waiting['reason']}: {waiting.get('message', '').strip()}"
    for condition in pod.get("status", {}).get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            return f"{UNSCHEDULABLE}: {condition.get('message', '')}"
    return ""


def job_end(job: Json) -> str:
    """`Complete` or `Failed`; empty while the Job runs."""
    conditions = job.get("status", {}).get("conditions", [])
    types = {one["type"] for one in conditions if one.get("status") == "True"}
    return next((end for end in ("Complete", "Failed") if end in types), "")


def summary(pod: Json) -> str:
    """One line with the state of the pod and of its containers."""
    parts = []
    for name, status in containers(pod).items():
        for state, detail in status.get("state", {}).items():
            parts.append(f"{name} {state} {detail.get('reason', '')}{detail.get('exitCode', '')}".strip())
    return f"{phase(pod)}: {', '.join(parts)}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
