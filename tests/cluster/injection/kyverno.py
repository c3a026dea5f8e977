"""Policies of Kyverno add the agent: the chart's, for the run's namespaces alone. Kyverno must run in the cluster already."""

import time
from typing import TYPE_CHECKING, Any

from ..errors import Interrupted, RunError
from ..preflight import serves
from ..shape import LABEL
from . import module
from .from_chart import FromChart

if TYPE_CHECKING:
    from ..kube import Kube

Json = dict[str, Any]

_GROUP = "policies.kyverno.io"
_MUTATING, _GENERATING, _ROLE = "MutatingPolicy", "GeneratingPolicy", "ClusterRole"
_OF_KYVERNO = tuple((verb, _GROUP, kind) for kind in ("mutatingpolicies", "generatingpolicies") for verb in ("create", "delete"))
_OF_ROLES = tuple((verb, "rbac.authorization.k8s.io", "clusterroles") for verb in ("create", "delete"))
# Kyverno's background controller copies within seconds.
_COPY_S = 60.0
_POLL_S = 0.5


class Kyverno(FromChart):
    """Its policies for pods and Jobs; with a module in a ConfigMap also the one that copies it, and the role for that."""

    title = "Kyverno"
    rights = (*_OF_KYVERNO, *_OF_ROLES, ("patch", "", "namespaces"))
    inject = "kyverno"
    # Without the role Kyverno could not make the copies.
    kinds = (_ROLE, _GENERATING, _MUTATING)

    @classmethod
    def missing(cls, kube: "Kube") -> list[str]:
        """The line that says that the cluster has no Kyverno."""
        if serves(kube, f"{_GROUP}/v1", "mutatingpolicies"):
            return []
        return [
            f"no Kyverno: {kube.server} has no {_MUTATING} in {_GROUP}/v1, so nothing was tested; install Kyverno 1.17 or "
            "newer, or use --inject istio"
        ]

    def limit(self, body: Json, name: str, expressions: list[Json]) -> None:
        """A policy for pods and Jobs selects namespaces by their labels; the one for namespaces asks each for the run's label."""
        if body["kind"] == _MUTATING:
            selector = body["spec"]["matchConstraints"]["namespaceSelector"]
            selector["matchExpressions"] = [*selector.get("matchExpressions", []), *expressions]
        if body["kind"] == _GENERATING:
            of_run = f"object.metadata.?labels[?'{LABEL}'].orValue('') == '{name}'"
            # Scenarios need namespaces without the module.
            without = f"!object.metadata.name.startsWith('{name}-{module.MISSING}')"
            body["spec"]["matchConditions"].append({"name": "run", "expression": f"{of_run} && {without}"})

    def of_another_image(self, objects: list[Json]) -> list[Json]:
        """The module has nothing to do with the agent's image."""
        return [body for body in objects if body["kind"] == _MUTATING]

    def put_module(self, namespace: str) -> None:
        """Kyverno copies the original, which is in the run's namespace."""
        if self.site.options.source != "configMap" or namespace == self.site.namespace:
            super().put_module(namespace)
            return
        self._wait_copy(namespace)

    def _wait_copy(self, namespace: str) -> None:
        deadline = time.monotonic() + _COPY_S
        while self.site.kube.read("ConfigMap", namespace, module.NAME) is None:
            if self.site.stop.wait(_POLL_S):
                raise Interrupted
            if time.monotonic() > deadline:
                raise RunError(f"waited {_COPY_S:g} s for Kyverno to copy the module into namespace {namespace}")
