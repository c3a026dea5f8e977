"""The workflow engines: what a cluster that has one of them serves, and the rights that its scenarios need."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Refused

if TYPE_CHECKING:
    from ..kube import Kube


@dataclass(frozen=True)
class Engine:
    """A workflow engine, known by its custom resource."""

    name: str
    title: str
    kind: str
    group: str
    plural: str
    # More rights than those of every run: verb, group, resource.
    rights: tuple[tuple[str, str, str], ...] = ()

    def is_in(self, kube: "Kube") -> bool:
        """Whether the cluster serves the custom resource."""
        try:
            return any(one["name"] == self.plural for one in kube.get(f"/apis/{self.group}")["resources"])
        except Refused:
            return False


def _rights(group: str, plural: str) -> tuple[tuple[str, str, str], ...]:
    return tuple((verb, group, plural) for verb in ("get", "create", "patch", "delete"))


_ROLES = tuple(("create", "rbac.authorization.k8s.io", plural) for plural in ("roles", "rolebindings"))
ENGINES = {
    one.name: one
    for one in (
        Engine(
            "argo",
            "Argo Workflows",
            "Workflow",
            "argoproj.io/v1alpha1",
            "workflows",
            (*_rights("argoproj.io", "workflows"), *_ROLES),
        ),
        Engine("tekton", "Tekton Pipelines", "TaskRun", "tekton.dev/v1", "taskruns", _rights("tekton.dev", "taskruns")),
    )
}
