"""A MutatingAdmissionPolicy of the API server adds the agent: the chart's, for the namespaces of the run alone."""

from typing import Any

from .from_chart import FromChart

Json = dict[str, Any]

_POLICY = "MutatingAdmissionPolicy"
_BINDING = "MutatingAdmissionPolicyBinding"
_OF_POLICIES = tuple(
    (verb, "admissionregistration.k8s.io", kind)
    for kind in ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
    for verb in ("create", "delete")
)


class Policy(FromChart):
    """The policy and its binding."""

    title = "a MutatingAdmissionPolicy"
    rights = (*_OF_POLICIES, ("patch", "", "namespaces"))
    inject = "policy"
    kinds = (_POLICY, _BINDING)

    def limit(self, body: Json, name: str, expressions: list[Json]) -> None:
        """The binding says the namespaces."""
        if body["kind"] == _BINDING:
            body["spec"]["policyName"] += f"-{name}"
            selector = body["spec"]["matchResources"].setdefault("namespaceSelector", {})
            selector["matchExpressions"] = [*selector.get("matchExpressions", []), *expressions]
