"""What a pod's JSON tells: how each container has ended, the agent's verdict, and how long the pod has outlived its task."""

import json
from datetime import datetime
from typing import Any

from .pods import AGENT, PROXY

Json = dict[str, Any]

# What has ended before anything of interest begins.
BEFOREHAND = ("istio-init", "istio-validation", "unpack")
# Waiting reasons that time does not heal.
_HOPELESS = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError")


def containers(pod: Json) -> dict[str, Json]:
    """The status of each container, init containers too."""
    status = pod.get("status", {})
    lists = (status.get("initContainerStatuses"), status.get("containerStatuses"))
    return {one["name"]: one for several in lists for one in several or []}


def phase(pod: Json) -> str:
    """Pending, Running, Succeeded or Failed."""
    return str(pod.get("status", {}).get("phase", "Pending"))


def has_ended(pod: Json) -> bool:
    """Whether it has ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def terminated(pod: Json, container: str) -> Json | None:
    """How a container has ended; `None` while it runs or waits."""
    state: Json = containers(pod).get(container, {}).get("state", {})
    return state.get("terminated")


def is_running(pod: Json, container: str) -> bool:
    """Whether it runs right now."""
    return "running" in containers(pod).get(container, {}).get("state", {})


def has_begun(pod: Json, container: str) -> bool:
    """Whether it runs, or has run."""
    return is_running(pod, container) or terminated(pod, container) is not None


def is_ambient(pod: Json) -> bool:
    """Whether Istio's node agent redirects its traffic to ztunnel (istio, `cni/pkg/util/podutil.go`)."""
    return bool(pod["metadata"].get("annotations", {}).get("ambient.istio.io/redirection") == "enabled")


def waits(pod: Json, container: str) -> str:
    """Why it waits; empty where it does not."""
    state = containers(pod).get(container, {}).get("state", {})
    return str(state.get("waiting", {}).get("reason", ""))


def why_it_waits(pod: Json, container: str) -> str:
    """What kubelet says of that."""
    status = containers(pod).get(container, {})
    last = status.get("lastState", {}).get("terminated", {})
    return f"{status.get('state', {}).get('waiting', {}).get('message', '')} {last.get('message', '')}".strip()


def restarts(pod: Json, container: str) -> int:
    """How often kubelet has started it anew."""
    return int(containers(pod).get(container, {}).get("restartCount", 0))


def exit_codes(pod: Json) -> dict[str, int]:
    """Of those that have ended, but for what Istio runs beforehand."""
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


def verdict(pod: Json) -> Json | None:
    """What the agent has left in its termination message."""
    status = containers(pod).get(AGENT, {})
    for state in (status.get("state", {}), status.get("lastState", {})):
        found = last_json(state.get("terminated", {}).get("message") or "", "proxy")
        if found is not None:
            return found
    return None


def seconds_after(pod: Json, mains: list[str]) -> int | None:
    """From the end of the last main container to that of the pod's last container; `None` while either runs."""
    ends = {name: terminated(pod, name) for name in containers(pod)}
    if any(ends.get(name) is None for name in [*mains, *(name for name in (AGENT, PROXY) if name in ends)]):
        return None
    times = {name: _time(end["finishedAt"]) for name, end in ends.items() if end and end.get("finishedAt")}
    if not all(name in times for name in mains):
        return None
    return round((max(times.values()) - max(times[name] for name in mains)).total_seconds())


def hopeless(pod: Json) -> str:
    """Why a pod cannot start, naming the container and its image; empty while there is hope."""
    images = {one["name"]: one["image"] for one in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]}
    for name, status in containers(pod).items():
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _HOPELESS:
            return f"container {name}, image {images.get(name)}: {waiting['reason']}: {waiting.get('message', '').strip()}"
    for condition in pod.get("status", {}).get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            return f"it cannot be scheduled: {condition.get('message', '')}"
    return ""


def job_end(job: Json) -> str:
    """Complete, Failed, or nothing yet."""
    conditions = job.get("status", {}).get("conditions", [])
    types = {one["type"] for one in conditions if one.get("status") == "True"}
    return next((end for end in ("Complete", "Failed") if end in types), "")


def summary(pod: Json) -> str:
    """One line that tells where a pod stands."""
    parts = []
    for name, status in containers(pod).items():
        for state, detail in status.get("state", {}).items():
            parts.append(f"{name} {state} {detail.get('reason', '')}{detail.get('exitCode', '')}".strip())
    return f"{phase(pod)}: {', '.join(parts)}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
