"""What an API server says of itself: its groups, versions and kinds, and that it refuses unknown fields."""

from functools import cache
from pathlib import Path

import yaml

from chart.programs import Resource

# By group and version, then by the plural name.
Kinds = dict[str, dict[str, str]]

# Those that are in no namespace.
CLUSTER_WIDE = (
    "namespaces",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
)


def kinds_of(definitions: Path) -> Kinds:
    """The kinds that the commands of the documents need: some of Kubernetes' own, and Istio's."""
    core = {"pods": "Pod", "secrets": "Secret", "configmaps": "ConfigMap", "namespaces": "Namespace"}
    admission = {
        "mutatingadmissionpolicies": "MutatingAdmissionPolicy",
        "mutatingadmissionpolicybindings": "MutatingAdmissionPolicyBinding",
        "validatingadmissionpolicies": "ValidatingAdmissionPolicy",
        "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
    }
    own = {"v1": core, "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"}, "admissionregistration.k8s.io/v1": admission}
    return own | _istio_kinds(definitions)


def answers(kinds: Kinds) -> dict[str, Resource]:
    """The answers by path."""
    fixed: dict[str, Resource] = {
        "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/openapi/v3": {"paths": {}},
    }
    groups: dict[str, list[Resource]] = {}
    for place, names in kinds.items():
        prefix = "/api" if "/" not in place else "/apis"
        verbs = {"verbs": ["create", "delete", "get", "list", "patch", "update"]}
        resources = [
            verbs | {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": plural not in CLUSTER_WIDE}
            for plural, kind in names.items()
        ]
        fixed[f"{prefix}/{place}"] = {"kind": "APIResourceList", "groupVersion": place, "resources": resources}
        fixed["/openapi/v3"]["paths"][f"{prefix[1:]}/{place}"] = {"serverRelativeURL": f"/openapi/v3{prefix}/{place}"}
        fixed[f"/openapi/v3{prefix}/{place}"] = _openapi(prefix, place, names)
        if prefix == "/apis":
            group, _, version = place.partition("/")
            groups.setdefault(group, []).append({"groupVersion": place, "version": version})
    listed = [{"name": name, "versions": versions, "preferredVersion": versions[0]} for name, versions in groups.items()]
    return fixed | {"/apis": {"kind": "APIGroupList", "groups": listed}}


@cache
def _istio_kinds(definitions: Path) -> dict[str, dict[str, str]]:
    kinds: dict[str, dict[str, str]] = {}
    # The loader in C: the other one needs half a minute.
    for one in yaml.load_all(definitions.read_text(), Loader=yaml.CSafeLoader):
        for version in one["spec"]["versions"] if one else ():
            names = one["spec"]["names"]
            kinds.setdefault(f"{one['spec']['group']}/{version['name']}", {})[names["plural"]] = names["kind"]
    return kinds


def _openapi(prefix: str, place: str, kinds: dict[str, str]) -> Resource:
    """As much as kubectl looks at: whether the server itself refuses unknown fields."""
    group, _, version = place.rpartition("/")
    paths = {}
    for plural, kind in kinds.items():
        parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("fieldValidation", "dryRun")]
        patch = {
            "parameters": parameters,
            "responses": {},
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        }
        where = "" if plural in CLUSTER_WIDE else "/namespaces/{namespace}"
        paths[f"{prefix}/{place}{where}/{plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths}
