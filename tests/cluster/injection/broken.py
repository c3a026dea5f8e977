"""Broken and half-done installations: no plugin, no ConfigMap with the filter, an agent's image that cannot be pulled."""

from typing import Any

from .. import install, messages, observed
from ..errors import Skip
from ..scenario_run import ScenarioRun
from ..scenarios.common import SIZE, upload, upload_task
from ..shape import AGENT, MAIN, PROXY, Istio, Task
from . import module
from .forms import of_each_form
from .objects import ordinary
from .ordinary_run import check_injected, start
from .way import NO_IMAGE_NAMESPACE

Json = dict[str, Any]

# Long enough for kubelet to try the image more than once.
_STAYS_S = 20.0
# Long enough for the proxy to start with the plugin, and to lose it.
_WORK_S = 15
_PULL_FAILURES = ("ErrImagePull", "ImagePullBackOff")


def _no_plugin(istio: Istio, run: ScenarioRun) -> None:
    """The template or the policy is there, but nobody has installed the plugin in this namespace."""
    _elsewhere(run, "bare")
    _arrives_without_filter(istio, run)


def _no_module(istio: Istio, run: ScenarioRun) -> None:
    """The plugin names the filter's file, but the ConfigMap with it stands in another namespace."""
    if run.site.options.source != "configMap":
        raise Skip("the filter comes from no ConfigMap; it does with --source configMap")
    _elsewhere(run, f"{module.MISSING}-{istio}")
    run.site.kube.create(run.namespace, install.manifest("wasmplugin.yaml", run.site.options.plugin_url))
    _arrives_without_filter(istio, run)


def _arrives_without_filter(istio: Istio, run: ScenarioRun) -> None:
    start(run, ordinary(istio, tasks=upload_task()))
    run.wait_ended()
    run.wait_received()
    check_injected(run, istio, route=messages.BY_SOCKETS if istio == "native" else messages.BY_ADMIN)
    run.check_delivered(SIZE)


def _plugin_removed(istio: Istio, run: ScenarioRun) -> None:
    """Half of an uninstallation: the plugin goes while a Job runs, and what adds the agent stays."""
    _elsewhere(run, f"removed-{istio}")
    plugin = install.manifest("wasmplugin.yaml", run.site.options.plugin_url)
    run.site.kube.create(run.namespace, plugin)
    run.site.need_way().put_module(run.namespace)
    start(run, ordinary(istio, tasks=(Task(upload("--before", str(_WORK_S))),)))
    run.wait("the task to run", lambda pod: observed.is_running(pod, MAIN))
    run.site.kube.delete(plugin["kind"], run.namespace, plugin["metadata"]["name"])
    run.wait_ended()
    run.wait_received()
    check_injected(run, istio, route=messages.BY_SOCKETS if istio == "native" else messages.BY_ADMIN)
    run.check_delivered(SIZE)


def _no_image(istio: Istio, run: ScenarioRun) -> None:
    """Kubelet starts a pod only when it has the images of its init containers: so this pod waits, and says for what."""
    run.patient = True
    _elsewhere(run, NO_IMAGE_NAMESPACE)
    start(run, ordinary(istio, tasks=upload_task()))
    run.wait("the agent's image to be missing", _misses_image)
    run.site.stop.wait(_STAYS_S)
    pod = run.wait("the pod's state", lambda _pod: True)
    run.check(observed.phase(pod) == "Pending", f"the pod is {observed.phase(pod)}, though the agent's image is missing")
    run.check(not observed.has_started(pod, MAIN), "the task has started, so this scenario has tested nothing")
    run.note(f"the pod waits: {observed.why_it_cannot_start(pod) or observed.waiting_message(pod, AGENT)}")
    if run.site.options.source == "imageVolume":
        run.note("istio-proxy has a volume of the same image, which nobody can change: the pod waits for the image itself")
        return
    run.patch_image(AGENT, run.site.where.agent_image)
    run.wait_ended()
    run.wait_received()
    check_injected(run, istio, route="")
    run.check_delivered(SIZE)


def _misses_image(pod: Json) -> bool:
    """Whether kubelet cannot pull an image: that of the agent's container, or that of a volume of istio-proxy."""
    return any(observed.waiting_reason(pod, name) in _PULL_FAILURES for name in (AGENT, PROXY))


def _elsewhere(run: ScenarioRun, suffix: str) -> None:
    """Lets the pod be in another namespace, with the programs."""
    name = f"{run.site.namespace}-{suffix}"
    run.move(name, run.site.further_namespace(name))


SCENARIOS = (
    *of_each_form("no-plugin", "without a plugin in the namespace a slow upload arrives completely", _no_plugin),
    *of_each_form("no-module", "without the ConfigMap in one namespace a slow upload arrives completely", _no_module),
    *of_each_form("plugin-removed", "after the plugin is removed while a Job runs its slow upload arrives", _plugin_removed),
    *of_each_form("no-image", "without the agent's image a pod waits and says so, and runs when the image is there", _no_image),
)
