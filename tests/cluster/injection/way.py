"""What adds the agent to ordinary pods: created by a `with` block before the scenarios, and removed at its end in every case."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import Interrupted, RunError
from ..preflight import Right
from ..scenarios.common import NO_IMAGE
from ..shape import AGENT, LABEL
from ..site import Site
from . import module

if TYPE_CHECKING:
    from ..kube import Kube

Json = dict[str, Any]

# The suffix of the namespace in which the agent's image cannot be pulled.
NO_IMAGE_NAMESPACE = "no-image"
# Kubelet renews a mounted ConfigMap about once a minute.
_CHANGE_S = 180.0
_POLL_S = 0.5
# A change is there when so many pods in a row show it: an istiod of several replicas does not change at once.
_IN_A_ROW = 5


class Way(ABC):
    """One way to the agent, for the run's namespace and its further ones, whose names begin with it and a dash."""

    # What it is, for messages.
    title = ""
    # The rights that it needs, and in which namespace; empty for the run's own.
    rights: ClassVar[tuple[Right, ...]] = ()
    rights_in = ""
    # The labels that it needs at a namespace.
    labels: ClassVar[dict[str, str]] = {}

    def __init__(self, site: Site, say: Callable[[str], None]) -> None:
        self.site = site
        # The namespaces whose pods get another image of the agent.
        self.images = {f"{site.namespace}-{NO_IMAGE_NAMESPACE}": NO_IMAGE}
        self._say = say
        self._is_there = False

    def __enter__(self) -> "Way":
        try:
            # From here on there may be something to remove.
            self._is_there = True
            self.install()
            self._wait(f"pods of Jobs to get the agent by {self.title}", with_agent=True)
            self._say(f"{self.title} adds the agent to the pods of Jobs in namespace {self.site.namespace}")
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    @abstractmethod
    def install(self) -> None:
        """Creates or changes what adds the agent."""

    @abstractmethod
    def take_away(self) -> None:
        """The opposite."""

    @abstractmethod
    def opt_out(self, namespace: str) -> None:
        """Does what the owner of a namespace does whose Jobs must not get the agent."""

    @classmethod
    def missing(cls, _kube: "Kube") -> list[str]:
        """What the cluster lacks for it, beside rights: one line each."""
        return []

    def put_module(self, namespace: str) -> None:
        """Sees to the ConfigMap with the filter in a namespace, if proxies have the filter from there."""
        if self.site.options.module is not None:
            self.site.kube.create(namespace, module.config_map(self.site.options.module))

    def remove(self) -> None:
        """Takes it away; a second call does nothing."""
        if self._is_there:
            self.take_away()
            self._is_there = False
            self._say(f"{self.title} is as it was before")

    def wait_removed(self) -> None:
        """Waits until new pods get no agent any more."""
        self._wait(f"pods of Jobs to get no agent after the removal from {self.title}", with_agent=False)

    def _wait(self, what: str, *, with_agent: bool) -> None:
        deadline, seen = time.monotonic() + _CHANGE_S, 0
        while seen < _IN_A_ROW:
            made = self.site.kube.create(self.site.namespace, pod_of_job(self.site.where.task_image), dry_run=True)
            seen = seen + 1 if has_agent(made) == with_agent else 0
            if self.site.stop.wait(0 if seen else _POLL_S):
                raise Interrupted
            if time.monotonic() > deadline:
                raise RunError(f"waited {_CHANGE_S:g} s for {what}")


def pod_of_job(image: str) -> Json:
    """A pod as the Job controller creates it, for a dry run."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "dry", "uid": "1", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "dry-", "labels": {LABEL: "dry"}, "ownerReferences": [owner]},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "base", "image": image, "command": ["true"]}]},
    }


def has_agent(pod: Json) -> bool:
    """Whether a pod has the agent's container."""
    return AGENT in [one["name"] for one in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]]
