"""Argo Workflows, with its own controller."""

from .. import observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from . import argo, prepare
from .engine_run import LONG, LONG_RATE, MB, RATE, SIZE, SMALL, EngineRun
from .kinds import ENGINES
from .samples import SCRATCH

_TASKS = 10
_OF_EACH = MB
_FILE = f"{SCRATCH}/result"
_FAILS = 3
_UPLOAD = ("--upload", str(SIZE), "--rate", str(RATE))
_WRITE = ("--file", _FILE, "--size", str(SIZE))
_LONG = ("--upload", str(LONG), "--rate", str(LONG_RATE))
# Argo signals a classic proxy up to ten seconds after the end of main; the proxy ends five seconds later. This takes twenty.
_LARGE = 40 * MB
_WRITE_LARGE = ("--file", _FILE, "--size", str(_LARGE))
_ON_SIGTERM = ("--on-sigterm", "--upload", str(SMALL), "--rate", str(RATE))


def _run(run: ScenarioRun) -> EngineRun:
    return EngineRun(run, ENGINES["argo"], argo.phase, argo.message, argo.MAIN)


def _upload(run: ScenarioRun) -> None:
    one = _run(run)
    one.start(argo.workflow(run.name, [argo.step(run.name, _UPLOAD, run.site.where)], run.site.where))
    one.wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.check_end(proxy="left")
    one.check_no_kill()
    run.check_delivered(SIZE)


def _fail(run: ScenarioRun) -> None:
    one = _run(run)
    words = (*_LONG, "--exit", str(_FAILS))
    one.start(argo.workflow(run.name, [argo.step(run.name, words, run.site.where)], run.site.where))
    one.wait_ended("Failed")
    run.wait_received(argo.MAIN)
    run.check_end(phase="Failed", main_exit=_FAILS, proxy="left")
    run.check_delivered(LONG)


def _artifact(run: ScenarioRun) -> None:
    one, where = _run(run), run.site.where
    template = argo.with_artifact(argo.step(run.name, _WRITE, where), _FILE, prepare.store_url(run.site, run.name))
    one.start(argo.workflow(run.name, [template], where))
    one.wait_ended("Succeeded")
    run.facts.received = one.wait_artifact(run.name)
    run.check_end(proxy="left")
    one.check_no_kill()
    run.check_delivered(SIZE)


def _stop(run: ScenarioRun) -> None:
    one = _run(run)
    one.start(argo.workflow(run.name, [argo.step(run.name, _ON_SIGTERM, run.site.where)], run.site.where))
    run.wait("the task to start", lambda pod: observed.has_started(pod, argo.MAIN))
    run.wait_until("the task to wait for SIGTERM", lambda: "waiting" in run.log(argo.MAIN))
    # What `argo stop` does.
    one.merge({"spec": {"shutdown": "Stop"}})
    one.wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.check_end(proxy="left")
    run.check_delivered(SMALL)


def _daemon(run: ScenarioRun) -> None:
    one, where = _run(run), run.site.where
    daemon = argo.step(run.name, _ON_SIGTERM, where) | {"name": "daemon", "daemon": True}
    second = argo.step(f"{run.name}-second", (), where) | {"name": "second"}
    second["metadata"] = {"labels": argo.label(f"{run.name}-second")}
    steps = [[{"name": name, "template": name}] for name in ("daemon", "second")]
    one.start(argo.workflow(run.name, [{"name": "both", "steps": steps}, daemon, second], where))
    one.wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.check_end(proxy="left")
    run.check_delivered(SMALL)


def _graph(run: ScenarioRun) -> None:
    one, where = _run(run), run.site.where
    words = ("--upload", str(_OF_EACH), "--rate", str(RATE))
    one.start(argo.workflow(run.name, argo.graph(run.name, _TASKS, words, where), where))
    one.wait_resource("Succeeded")
    labels = [f"{run.name}-{number}" for number in range(_TASKS)]
    for label, pod in zip(labels, one.wait_pods_ended(labels), strict=True):
        run.wait_bytes(f"{label}-{argo.MAIN}")
        verdict = observed.verdict(pod) or {}
        run.check(verdict.get("proxy") == "left", f"{label}: the verdict says proxy {verdict.get('proxy')}, not left")
    run.check_delivered(_TASKS * _OF_EACH)


def _outputs(run: ScenarioRun) -> None:
    one, where = _run(run), run.site.where
    path = f"{SCRATCH}/size"
    one.start(argo.workflow(run.name, argo.outputs(run.name, ("--text", path, str(SMALL)), path, where), where))
    one.wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.check_end(proxy="left")
    run.check_delivered(SMALL)


def _container_set(run: ScenarioRun) -> None:
    one, where = _run(run), run.site.where
    one.main = "second"
    one.start(argo.workflow(run.name, [argo.container_set(run.name, ("first", "second"), _UPLOAD, where)], where))
    one.wait_ended("Succeeded")
    run.wait_received("second")
    run.check_end(proxy="left")
    run.check_delivered(SIZE)


def _native_kill_command(run: ScenarioRun) -> None:
    one, where = _run(run), run.site.where
    one.start(argo.with_kill_command(argo.workflow(run.name, [argo.step(run.name, _UPLOAD, where)], where)))
    one.wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.check_end(proxy="left")
    run.check_delivered(SIZE)


def _shared(run: ScenarioRun) -> None:
    one, where = _run(run), run.site.where
    template = argo.with_artifact(argo.step(run.name, _WRITE_LARGE, where), _FILE, prepare.store_url(run.site, run.name))
    one.start(argo.with_shared_processes(argo.workflow(run.name, [template], where)))
    one.wait_ended("Error")
    run.facts.received = one.wait_artifact(run.name)
    run.observe()
    run.check_incomplete(_LARGE)
    run.note_lost()


def _alone(run: ScenarioRun, words: tuple[str, ...], *, native: bool, waits: bool = False, kill: bool = False) -> None:
    """Starts a pod without exeunt that uploads, and has an output artifact beside a classic proxy."""
    one, where = _run(run), run.site.where
    template = argo.step(run.name, words, where)
    if _FILE in words:
        template = argo.with_artifact(template, _FILE, prepare.store_url(run.site, run.name))
    body = argo.without_exeunt(argo.workflow(run.name, [template], where), native=native, waits=waits)
    one.start(argo.with_kill_command(body) if kill else body)


def _alone_native(run: ScenarioRun) -> None:
    _alone(run, _LONG, native=True)
    _run(run).wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.observe()
    run.check_incomplete(LONG)
    run.note_lost()


def _alone_classic(run: ScenarioRun) -> None:
    one = _run(run)
    _alone(run, _WRITE_LARGE, native=False)
    one.wait_ended("Error")
    run.facts.received = one.wait_artifact(run.name)
    run.observe()
    run.check_incomplete(_LARGE)
    run.note_lost()


def _classic(run: ScenarioRun) -> None:
    one = _run(run)
    _alone(run, (*_LONG, *_WRITE_LARGE), native=False, waits=True)
    one.wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.facts.received = (run.facts.received or 0) + one.wait_artifact(run.name)
    run.observe()
    run.check_delivered(LONG + _LARGE)
    run.note_lost()


def _kill_command(run: ScenarioRun) -> None:
    _alone(run, _LONG, native=False, kill=True)
    _run(run).wait_ended("Succeeded")
    run.wait_received(argo.MAIN)
    run.observe()
    run.check_incomplete(LONG)
    run.note_lost()


SCENARIOS = tuple(
    Scenario(f"argo-{name}", sentence, steps, "argo")
    for name, sentence, steps in (
        ("graph", f"a workflow of {_TASKS} tasks, eight of them at the same time, loses nothing", _graph),
        ("upload", "a slow upload of the main container arrives completely", _upload),
        ("fail", "a slow upload arrives completely when the step fails", _fail),
        ("artifact", "a slow output artifact arrives completely, and nothing in the pod is killed", _artifact),
        ("stop", "a stopped workflow's task gets SIGTERM, and what it then uploads arrives completely", _stop),
        ("daemon", "a daemon step gets SIGTERM at the end of the workflow, and what it then uploads arrives completely", _daemon),
        ("outputs", "an output parameter reaches the next step", _outputs),
        ("container-set", "a containerSet without a container named main loses nothing", _container_set),
        ("kill-command-native", "Argo's kill-cmd for Istio does nothing to a native proxy", _native_kill_command),
        ("shared", "with shared processes Argo kills the pod during a slow output artifact (control)", _shared),
        ("alone-native", "without exeunt Argo says Succeeded, and the upload is incomplete (control)", _alone_native),
        (
            "alone-classic",
            "Argo ends a classic proxy when main has ended, and a slow output artifact is cut off (control)",
            _alone_classic,
        ),
        ("classic", "the same with a proxy that waits for its connections: everything arrives, without exeunt", _classic),
        ("kill-command", "with Argo's kill-cmd for Istio, the upload is incomplete (control)", _kill_command),
    )
)
