"""Makes the cluster's nodes busy while the scenarios run: a DaemonSet of loops that is measured and removed afterwards."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from .agent_container import RESTRICTED
from .errors import Interrupted, Refused, RunError
from .shape import LABEL, PROGRAMS, TASK_UID
from .site import Site

Json = dict[str, Any]

NAME = "load"
# How much of the load that was asked for is enough to begin.
_ENOUGH = 0.9
# An average of a minute with twice the loops needs 40 s.
_RISE_S = 240.0
_REMOVE_S = 120.0
_POLL_S = 2.0
# What the loops can demand of a node against other pods. Without a request they would give way to every pod that has one.
_CPU = "500m"


class Load:
    """Created by a `with` block, and removed at its end in every case, also with --keep."""

    def __init__(self, site: Site, loops: int, say: Callable[[str], None]) -> None:
        self._site = site
        self._loops = loops
        self._say = say
        # What was measured, as one sentence; empty without a load.
        self.measured = ""

    def __enter__(self) -> "Load":
        if self._loops:
            self._say(f"--load {self._loops}: the nodes become busy")
            try:
                self._site.kube.create(self._site.namespace, daemon_set(self._loops, self._site.where.task_image))
                self._wait()
            except BaseException:
                self._remove()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._loops:
            with contextlib.suppress(Refused):
                self.measured = sentence(self._loops, self._samples())
            self._remove()
            self._say(self.measured or f"--load {self._loops}: nothing was measured")

    def _wait(self) -> None:
        """Waits until every node on which a loop can run has nearly the load that was asked for."""
        deadline = time.monotonic() + _RISE_S
        while not self._is_reached():
            if self._site.stop.wait(_POLL_S):
                raise Interrupted
            if time.monotonic() > deadline:
                found = sentence(self._loops, self._samples())
                raise RunError(f"--load {self._loops} was not reached within {_RISE_S:g} s: {found or 'no loop runs'}")

    def _is_reached(self) -> bool:
        status = (self._site.kube.read("DaemonSet", self._site.namespace, NAME) or {}).get("status", {})
        wanted = status.get("desiredNumberScheduled", 0)
        last = {one["node"]: one["load"] for one in self._samples()}
        return 0 < wanted <= len(last) and all(load >= _ENOUGH * self._loops for load in last.values())

    def _samples(self) -> list[Json]:
        """Every measurement so far, the oldest first."""
        kube, namespace = self._site.kube, self._site.namespace
        found = kube.read("Pod", namespace, selector=f"{LABEL}={NAME}") or {"items": []}
        lines = [line for pod in found["items"] for line in kube.log(namespace, pod["metadata"]["name"], NAME).splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _remove(self) -> None:
        kube, namespace = self._site.kube, self._site.namespace
        deadline = time.monotonic() + _REMOVE_S
        while time.monotonic() < deadline:
            # The API server may not answer on a busy node, so this is tried until the pods are gone.
            with contextlib.suppress(Refused):
                kube.delete("DaemonSet", namespace, NAME)
                if not (kube.read("Pod", namespace, selector=f"{LABEL}={NAME}") or {}).get("items"):
                    return
            time.sleep(_POLL_S)
        self._say(f"the load still runs after {_REMOVE_S:g} s; please run: kubectl -n {namespace} delete daemonset {NAME}")


def sentence(loops: int, samples: list[Json]) -> str:
    """What the nodes' load averages were, from the moment when the load was reached; empty if nothing was measured."""
    parts = []
    for node in sorted({one["node"] for one in samples}):
        loads = [one["load"] for one in samples if one["node"] == node]
        reached = next((place for place, load in enumerate(loads) if load >= _ENOUGH * loops), len(loads) - 1)
        seen = loads[reached:]
        parts.append(f"{node} {min(seen):.0f} to {max(seen):.0f}, on average {sum(seen) / len(seen):.0f}")
    return f"--load {loops}: load averages of a minute: {'; '.join(parts)}" if parts else ""


def daemon_set(loops: int, image: str) -> Json:
    """One pod on every node that takes ordinary pods."""
    labels = {LABEL: NAME, "sidecar.istio.io/inject": "false"}
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/e2e/load.py", str(loops), "$(NODE)"],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "volumeMounts": [{"name": "programs", "mountPath": "/e2e"}],
        "securityContext": {**RESTRICTED, "runAsUser": TASK_UID, "runAsGroup": TASK_UID},
        "resources": {"requests": {"cpu": _CPU, "memory": "32Mi"}},
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "programs", "configMap": {"name": PROGRAMS}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "labels": {LABEL: NAME}},
        "spec": {
            "selector": {"matchLabels": {LABEL: NAME}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
