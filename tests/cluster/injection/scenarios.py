"""Ordinary Jobs, and those whose own labels opt out or that cannot have the agent; then broken and removed installations."""

from .. import observed, pods
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..scenarios.common import MB, RATE, SIZE, SMALL, upload, upload_task
from ..shape import MAIN, PROXY, Istio, Rule, Shape, Task
from . import broken, hook, several_pods, uninstall
from .forms import of_each_form
from .objects import ordinary, plain_job
from .ordinary_run import CONTROL, check_as_before, check_given, check_injected, start, start_body
from .way import has_agent, pod_of_job

_CODE = 3
# The exit code of an attempt that must fail.
_FAILURE = 3
# Istiod and the API server see a change of the namespace.
_OPTS_OUT_S = 30.0
_SKIPPED = "exeunt.dev/skipped"


def _check_arrives(run: ScenarioRun, shape: Shape, *, bare: bool = False, phase: str = "Succeeded", main_exit: int = 0) -> None:
    """Runs a pod that gets the agent. What all of its containers send must arrive."""
    start(run, shape, bare=bare)
    run.wait_ended()
    for task in (*shape.tasks, *shape.behind):
        run.wait_received(task.name)
    check_injected(run, shape.istio, phase=phase, main_exit=main_exit)
    run.check_delivered(SIZE)


def _success(istio: Istio, run: ScenarioRun) -> None:
    _check_arrives(run, ordinary(istio, tasks=upload_task()))


def _plain(run: ScenarioRun) -> None:
    body = plain_job(run.name, ordinary("native", tasks=upload_task()), run.site.where)
    start_body(run, body)
    pod = run.wait_ended()
    run.wait_received()
    native = PROXY in [one["name"] for one in pod["spec"]["initContainers"]]
    check_injected(run, "native" if native else "classic")
    run.check_delivered(SIZE)
    run.note(f"its proxy is {'a native' if native else 'a classic'} sidecar")


def _failure(istio: Istio, run: ScenarioRun) -> None:
    _check_arrives(run, ordinary(istio, tasks=upload_task("--exit", str(_CODE))), phase="Failed", main_exit=_CODE)


def _on_failure(istio: Istio, run: ScenarioRun) -> None:
    _check_arrives(run, ordinary(istio, policy="OnFailure", tasks=upload_task("--failures", "2")))
    run.check_main_restarts(2)


def _rule(istio: Istio, run: ScenarioRun) -> None:
    task = Task(upload("--failures", "2"), rule=Rule("Restart", _FAILURE))
    _check_arrives(run, ordinary(istio, tasks=(task,)))
    run.check_main_restarts(2)


def _two(istio: Istio, run: ScenarioRun) -> None:
    first = Task(upload(size=SMALL))
    second = Task(upload("--before", "6", size=SIZE - SMALL), name="second")
    _check_arrives(run, ordinary(istio, tasks=(first, second)))


def _helpers(istio: Istio, run: ScenarioRun) -> None:
    """The pod says by annotations how its helpers end: kubelet would wait for them, and they for nobody."""
    own, shipper = Task(upload(size=SIZE - MB)), Task(upload("--before", "10", size=MB, rate=0), name="shipper")
    asked = Task(name="proxy", command=("python3", "/e2e/servers.py", "app", "9091"))
    told = (("exeunt.dev/quit-endpoints", "proxy=http://127.0.0.1:9091/end"), ("exeunt.dev/also-wait", shipper.name))
    start(run, ordinary(istio, tasks=(own, asked, shipper), annotations=told))
    run.wait_ended()
    for task in (own, shipper):
        run.wait_received(task.name)
    check_injected(run, istio, watches=True)
    run.check_delivered(SIZE)


def _hold(run: ScenarioRun) -> None:
    """Istio's own setting, in the pod's own configuration of its proxy."""
    _check_arrives(run, ordinary("hold", tasks=upload_task()))


def _sidecar(run: ScenarioRun) -> None:
    """The agent must stand between istio-proxy and the pod's own sidecar, which kubelet ends first."""
    own = Task(("sidecar", "--bytes", str(SIZE - SMALL), "--rate", str(RATE)), name="logs")
    _check_arrives(run, ordinary("native", tasks=upload_task(size=SMALL), behind=(own,)))


def _labelled(run: ScenarioRun) -> None:
    """A bare pod is nobody's Job: only its label asks for the agent."""
    _check_arrives(run, ordinary("native", drain="on", tasks=upload_task()), bare=True)


def _bare(run: ScenarioRun) -> None:
    start(run, ordinary("native", tasks=CONTROL), bare=True)
    check_as_before(run, "native")


def _off(istio: Istio, run: ScenarioRun) -> None:
    start(run, ordinary(istio, drain="off", tasks=CONTROL))
    check_as_before(run, istio)


def _namespace_off(run: ScenarioRun) -> None:
    """What is decided at admission shows in a dry run: the other scenarios show how such pods run."""
    site, namespace = run.site, f"{run.namespace}-off"
    site.further_namespace(namespace)
    before = site.kube.create(namespace, pod_of_job(site.where.task_image), dry_run=True)
    run.check(has_agent(before), "the pods of the namespace have no agent before its owner opts out, so this tests nothing")
    site.need_way().opt_out(namespace)

    def is_out() -> bool:
        return not has_agent(site.kube.create(namespace, pod_of_job(site.where.task_image), dry_run=True))

    run.wait_until("the pods of the namespace to have no agent", is_out, _OPTS_OUT_S)


def _unshared(run: ScenarioRun) -> None:
    body = pods.job(run.name, ordinary("classic", tasks=CONTROL), run.site.where)
    body["spec"]["template"]["spec"]["shareProcessNamespace"] = False
    start_body(run, body)
    check_as_before(run, "classic")
    why = run.wait("the pod", lambda _pod: True)["metadata"]["annotations"].get(_SKIPPED, "")
    run.check("shareProcessNamespace" in why, f"the annotation {_SKIPPED} does not say why: {why!r}")
    run.note(f"{_SKIPPED}: {why}")


def _always(run: ScenarioRun) -> None:
    """A pod that never ends, which asks for the agent all the same."""
    body = pods.pod(run.name, ordinary("native", drain="on", tasks=(Task(("wait", "--work", "600")),)), run.site.where)
    body["spec"]["restartPolicy"] = "Always"
    start_body(run, body)
    pod = run.wait("the task to run", lambda pod: observed.is_running(pod, MAIN))
    check_given(run, pod, given=False)
    why = pod["metadata"]["annotations"].get(_SKIPPED, "")
    run.check("restartPolicy" in why, f"the annotation {_SKIPPED} does not say why: {why!r}")
    run.note(f"{_SKIPPED}: {why}")
    run.delete_pod(grace_s=0)


SCENARIOS = (
    *several_pods.CRON_JOBS,
    *of_each_form("success", "a slow upload of an ordinary Job arrives completely", _success),
    *of_each_form("failure", "the same of a Job that fails, with its own exit code", _failure),
    *of_each_form("on-failure", "the same of a task that fails twice under OnFailure", _on_failure),
    *of_each_form("rule", "the same of a task that its own restart rule starts twice again", _rule),
    *of_each_form("two", "the same of a Job with two containers", _two),
    *of_each_form("helpers", "the same of a Job whose annotations say how its helpers end", _helpers),
    *(
        Scenario(f"inject-{name}", sentence, steps, injected=True)
        for name, sentence, steps in (
            ("hold", "the same of a Job whose classic proxy starts before its task", _hold),
            ("sidecar", "what a native sidecar of the Job's own sends at its end arrives, too", _sidecar),
            ("plain", "the same of a Job whose pods have no annotation at all", _plain),
            ("labelled", "the same of a bare pod whose only line is its label", _labelled),
            ("bare", "a bare pod without the label is as before (control)", _bare),
            ("unshared", "a pod that does not share its processes beside a classic proxy is as before, and says why", _unshared),
            ("namespace-off", "the pods of a namespace whose owner opts out get no agent", _namespace_off),
            ("always", "a pod with the label that never ends runs, and says why it has no agent", _always),
        )
    ),
    *of_each_form("off", "a Job whose pods opt out by the label is as before (control)", _off),
    *hook.SCENARIOS,
    *broken.SCENARIOS,
    *several_pods.INDEXED,
    *uninstall.SCENARIOS,
)
