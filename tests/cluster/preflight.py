"""What a run needs before it creates anything: a cluster, rights and Istio. Everything that is missing is named at once."""

from typing import TYPE_CHECKING, Any

from .errors import Refused, RunError

if TYPE_CHECKING:
    from .kube import Kube

Json = dict[str, Any]
# Verb, group, resource.
Right = tuple[str, str, str]

_UNAUTHORIZED = 401
# The needed rights in the run's own namespace.
_RIGHTS: tuple[Right, ...] = (
    *((verb, "", "namespaces") for verb in ("get", "create", "delete")),
    *((verb, "", "pods") for verb in ("get", "list", "watch", "create", "patch", "delete")),
    ("get", "", "pods/log"),
    ("get", "", "serviceaccounts"),
    ("create", "", "services"),
    *((verb, "", "configmaps") for verb in ("create", "patch")),
    *((verb, "batch", "jobs") for verb in ("get", "create", "delete")),
    ("create", "extensions.istio.io", "wasmplugins"),
    ("create", "networking.istio.io", "serviceentries"),
)


# What --load needs besides.
LOAD_RIGHTS = tuple((verb, "apps", "daemonsets") for verb in ("get", "create", "delete"))


def check(kube: "Kube", namespace: str, more: tuple[Right, ...] = ()) -> Json:
    """Checks everything that can be checked without a namespace, and returns the API server's version."""
    try:
        version = kube.get("/version")
        missing = [
            line for verb, group, resource in (*_RIGHTS, *more) for line in refusal(kube, namespace, verb, group, resource)
        ]
    except Refused as refused:
        if refused.status == _UNAUTHORIZED:
            raise RunError(f"{kube.server} does not accept the credentials of the kubeconfig: {refused}") from refused
        raise RunError(f"no cluster: {refused}" if refused.status == 0 else f"{kube.server}: {refused}") from refused
    if missing:
        raise RunError(*missing)
    lacking = [
        f"no Istio: {kube.server} has no {kind} in {group}; install Istio 1.16 or newer"
        for group, kind, plural in (
            ("extensions.istio.io/v1alpha1", "WasmPlugin", "wasmplugins"),
            ("networking.istio.io/v1beta1", "ServiceEntry", "serviceentries"),
        )
        if not serves(kube, group, plural)
    ]
    if lacking:
        raise RunError(*lacking)
    return version


def refusal(kube: "Kube", namespace: str, verb: str, group: str, resource: str) -> list[str]:
    """The line that names a missing right; empty if the user has it."""
    resource, _, sub = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": resource, "subresource": sub}
    if resource != "namespaces":
        attributes["namespace"] = namespace
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    if kube.create("", body)["status"].get("allowed"):
        return []
    full = f"{resource}/{sub}" if sub else resource
    where = "" if resource == "namespaces" else f" in namespace {namespace}"
    return [f"no right to {verb} {full}{'.' if group else ''}{group}{where}"]


def serves(kube: "Kube", group: str, plural: str) -> bool:
    """Whether the cluster has a kind, by its group with the version, and its plural."""
    try:
        return any(one["name"] == plural for one in kube.get(f"/apis/{group}")["resources"])
    except Refused:
        return False
