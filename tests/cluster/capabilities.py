"""What the cluster can do: the forms of proxies, native sidecars, the versions; and whether the images can be used."""

import base64
import re
from typing import TYPE_CHECKING, Any

from . import observed, pods
from .errors import Refused, RunError
from .observed import last_json
from .shape import AGENT, AGENT_UID, MAIN, PROXY, Istio, Shape, Task
from .site import Site

if TYPE_CHECKING:
    from .kube import Kube

Json = dict[str, Any]

_FORMS: tuple[Istio, ...] = ("classic", "hold", "native")
# Kubelet's reasons for a container that does not keep running.
_CRASHES = ("CrashLoopBackOff", "RunContainerError")
# The first release with native sidecars on by default (KEP-753).
_NATIVE = (1, 29)


def detect(site: Site, version: Json) -> None:
    """Finds out which forms of a proxy the injector makes, and whether kubelet supports native sidecars."""
    site.native_agent = release_of(version) >= _NATIVE
    for form in _FORMS:
        injected = site.kube.create(site.namespace, pods.pod("dry", Shape(istio=form, agent="none"), site.where), dry_run=True)
        got = form_of(injected)
        if got == "none":
            label = f"istio.io/rev={site.options.revision}" if site.options.revision else "istio-injection=enabled"
            raise RunError(
                f"no injection: a pod in namespace {site.namespace}, which has the label {label}, gets no {PROXY}. Istio's "
                "injector may look for another label; for an Istio with revisions, use --revision NAME"
            )
        if got == form:
            site.forms.add(form)
        if not site.restricted and any(one["name"] == "istio-init" for one in injected["spec"].get("initContainers", [])):
            site.restricted = "Istio CNI is not installed: istio-init needs NET_ADMIN, which the restricted standard forbids"
    site.versions = {"kubernetes": version["gitVersion"], **_node(site.kube)}
    site.kernel = kernel_of(site.versions.get("kernel", ""))


def release_of(version: Json) -> tuple[int, int]:
    """Major and minor of the API server, from its full version: some builds leave the two separate fields empty."""
    found = re.match(r"v(\d+)\.(\d+)", version["gitVersion"])
    return (int(found[1]), int(found[2])) if found else (0, 0)


def kernel_of(text: str) -> tuple[int, int, int]:
    """The release of a kernel, from a version such as `6.18.44-amd64`; zeros for what is not known."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def form_of(pod: Json) -> str:
    """The form of the proxy in an injected pod."""
    init = [one["name"] for one in pod["spec"].get("initContainers") or []]
    regular = [one["name"] for one in pod["spec"]["containers"]]
    if PROXY in init:
        return "native"
    if PROXY not in regular:
        return "none"
    # With hold the proxy is first in the list, and the other containers wait for it.
    return "hold" if regular[0] == PROXY else "classic"


def run_first_pod(site: Site) -> None:
    """Runs a first pod: checks that the images work, reads the versions of Istio and Envoy, and keeps the agent's binary."""
    name = "probe"
    task = Task(("probe",), uid=AGENT_UID)
    shape = Shape(agent="native" if site.native_agent else "regular", tasks=(task,))
    site.kube.create(site.namespace, pods.pod(name, shape, site.where))
    pod = site.wait_pod(name, "the first pod's task to end", _is_over)
    if observed.waiting_reason(pod, AGENT) in _CRASHES:
        raise RunError(f"--agent-image {site.options.agent_image} does not run the agent: {observed.waiting_message(pod, AGENT)}")
    log = site.kube.log(site.namespace, name, MAIN)
    end = observed.terminated(pod, MAIN)
    found = last_json(log, "envoy")
    if found is None or end is None or end["exitCode"] != 0:
        raise RunError(f"the first pod's task has failed: {log.strip().splitlines()[-1:] or 'its log is empty'}")
    site.versions |= {"istio": found["istio"] or "unknown", "envoy": envoy_version(found["envoy"])}
    packed = last_json(log, "agent")
    if packed is not None:
        site.add_agent(base64.b64decode(packed["agent"]))


def _is_over(pod: Json) -> bool:
    return observed.terminated(pod, MAIN) is not None or observed.waiting_reason(pod, AGENT) in _CRASHES


def envoy_version(text: str) -> str:
    """The number in a version such as `<commit>/1.37.0/Clean/RELEASE/BoringSSL`."""
    return next((part for part in text.split("/") if part[:1].isdigit() and part.count(".") >= 2), text or "unknown")


def _node(kube: "Kube") -> dict[str, str]:
    """Kernel and container runtime of the first node; empty if the user may not read nodes."""
    try:
        nodes = kube.get("/api/v1/nodes?limit=1")["items"]
    except Refused:
        return {}
    info = nodes[0]["status"]["nodeInfo"] if nodes else {}
    kept = {"kubelet": "kubeletVersion", "kernel": "kernelVersion", "runtime": "containerRuntimeVersion"}
    return {name: info[key] for name, key in kept.items() if key in info}
