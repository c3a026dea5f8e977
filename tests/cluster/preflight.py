"""What must hold before anything is played: a cluster, rights, Istio, injection, images; each missing one by name."""

import base64
import re
from typing import TYPE_CHECKING, Any

from . import observed, pods
from .observed import last_json
from .pods import Shape, Task
from .site import Site
from .trouble import Refused, Trouble

if TYPE_CHECKING:
    from .kube import Kube

Json = dict[str, Any]

_UNAUTHORIZED = 401
# What kubelet says of a container that it has started, or tried to, and that did not stay.
_CRASHES = ("CrashLoopBackOff", "RunContainerError")
# Since 1.29 native sidecars are on by default (KEP-753).
_NATIVE = (1, 29)
# verb, group, resource; in the run's own namespace.
_RIGHTS = (
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


def before(kube: "Kube", namespace: str) -> Json:
    """Everything that can be asked before a namespace is made; the API server's version."""
    try:
        version = kube.get("/version")
        missing = [line for verb, group, resource in _RIGHTS for line in _refusal(kube, namespace, verb, group, resource)]
    except Refused as refused:
        if refused.status == _UNAUTHORIZED:
            raise Trouble(f"{kube.server} does not accept the credentials of the kubeconfig: {refused}") from refused
        raise Trouble(f"no cluster: {refused}" if refused.status == 0 else f"{kube.server}: {refused}") from refused
    if missing:
        raise Trouble(*missing)
    lacking = [
        f"no Istio: {kube.server} has no {kind} in {group}; install Istio 1.16 or newer"
        for group, kind, plural in (
            ("extensions.istio.io/v1alpha1", "WasmPlugin", "wasmplugins"),
            ("networking.istio.io/v1beta1", "ServiceEntry", "serviceentries"),
        )
        if not _serves(kube, group, plural)
    ]
    if lacking:
        raise Trouble(*lacking)
    return version


def release_of(version: Json) -> tuple[int, int]:
    """Major and minor of an API server: by its full version, as its builder may have left the two empty."""
    found = re.match(r"v(\d+)\.(\d+)", version["gitVersion"])
    return (int(found[1]), int(found[2])) if found else (0, 0)


def look_around(site: Site, version: Json) -> None:
    """What this cluster can do: which forms of a proxy its injector makes, and whether kubelet knows native sidecars."""
    site.native_agent = release_of(version) >= _NATIVE
    for form in ("classic", "hold", "native"):
        made = site.kube.create(site.namespace, pods.pod("dry", Shape(istio=form, agent="none"), site.where), dry_run=True)
        got = form_of(made)
        if got == "none":
            label = f"istio.io/rev={site.options.revision}" if site.options.revision else "istio-injection=enabled"
            raise Trouble(
                f"no injection: a pod in namespace {site.namespace}, which has {label}, gets no {pods.PROXY}; which "
                "label does its injector look for? With a revisioned Istio, give --revision NAME"
            )
        if got == form:
            site.forms.add(form)
        if not site.restricted and any(one["name"] == "istio-init" for one in made["spec"].get("initContainers", [])):
            site.restricted = "Istio CNI is not installed: istio-init needs NET_ADMIN, which the restricted standard forbids"
    site.versions = {"kubernetes": version["gitVersion"], **_node(site.kube)}


def form_of(pod: Json) -> str:
    """Which form of a proxy the injector has given to a pod."""
    init = [one["name"] for one in pod["spec"].get("initContainers") or []]
    regular = [one["name"] for one in pod["spec"]["containers"]]
    if pods.PROXY in init:
        return "native"
    if pods.PROXY not in regular:
        return "none"
    # Held until the proxy is ready, the tasks are listed behind it.
    return "hold" if regular[0] == pods.PROXY else "classic"


def probe(site: Site) -> None:
    """A first pod: whether the images can be pulled, and which Istio and Envoy it has; its agent's binary is kept for later."""
    name = "probe"
    task = Task(("probe",), uid=pods.AGENT_UID)
    shape = Shape(agent="native" if site.native_agent else "regular", tasks=(task,))
    site.kube.create(site.namespace, pods.pod(name, shape, site.where))
    pod = site.wait_pod(name, "the first pod's task to end", _is_over)
    if observed.waits(pod, pods.AGENT) in _CRASHES:
        raise Trouble(
            f"--agent-image {site.options.agent_image} does not run the agent: {observed.why_it_waits(pod, pods.AGENT)}"
        )
    log = site.kube.log(site.namespace, name, pods.MAIN)
    end = observed.terminated(pod, pods.MAIN)
    found = last_json(log, "envoy")
    if found is None or end is None or end["exitCode"] != 0:
        raise Trouble(f"the first pod's task failed: {log.strip().splitlines()[-1:] or 'it said nothing'}")
    site.versions |= {"istio": found["istio"] or "unknown", "envoy": envoy_version(found["envoy"])}
    packed = last_json(log, "agent")
    if packed is not None:
        site.agent_gz = base64.b64decode(packed["agent"])
        site.make_programs()


def _is_over(pod: Json) -> bool:
    return observed.terminated(pod, pods.MAIN) is not None or observed.waits(pod, pods.AGENT) in _CRASHES


def envoy_version(text: str) -> str:
    """The number in `<commit>/1.37.0/Clean/RELEASE/BoringSSL`."""
    return next((part for part in text.split("/") if part[:1].isdigit() and part.count(".") >= 2), text or "unknown")


def _refusal(kube: "Kube", namespace: str, verb: str, group: str, resource: str) -> list[str]:
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


def _serves(kube: "Kube", group: str, plural: str) -> bool:
    try:
        return any(one["name"] == plural for one in kube.get(f"/apis/{group}")["resources"])
    except Refused:
        return False


def _node(kube: "Kube") -> dict[str, str]:
    """Kernel and runtime of the first node, for whoever may know."""
    try:
        nodes = kube.get("/api/v1/nodes?limit=1")["items"]
    except Refused:
        return {}
    info = nodes[0]["status"]["nodeInfo"] if nodes else {}
    kept = {"kubelet": "kubeletVersion", "kernel": "kernelVersion", "runtime": "containerRuntimeVersion"}
    return {name: info[key] for name, key in kept.items() if key in info}
