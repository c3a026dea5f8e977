"""What a container sees of the others, with and without a shared process namespace: docs/security.md says so."""

from ...scenario import Scenario
from ...scenario_run import ScenarioRun
from ...shape import Shape, Task, three_lines
from ..second_pod import events
from .attack import Json, script

_SPY_UID = 2000
_WORK_S = 15
# The proxy's processes.
_PROXY = {"envoy", "pilot-agent"}


def _tasks(spy: Task) -> tuple[Task, ...]:
    """The task and the spy, both as root or neither: a process reads those of its own user."""
    return Task(("wait", "--work", str(_WORK_S)), root=spy.root), spy


def _spied(run: ScenarioRun, shape: Shape) -> Json:
    """What the container `spy` has found."""
    run.start(shape)
    run.wait_ended()
    run.check_end(proxy="left" if shape.by_kubelet else "gone", route="")
    found = [*events(run, "sees", "spy"), *events(run, "reads_as_proxy", "spy")]
    run.check(bool(found), "the spy has found nothing, not even itself")
    return {key: value for event in found for key, value in event.items()}


def _command(run: ScenarioRun) -> tuple[str, ...]:
    return script(f"intruder.py look E2E_ID={run.name}-base")


def _root(run: ScenarioRun) -> None:
    spy = Task(name="spy", command=_command(run), root=True)
    found = _spied(run, Shape(tasks=_tasks(spy)))
    run.check(
        bool(found.get("reads")), f"a root container no longer reads another one's environment: {found}; the docs say it does"
    )
    proxy = _PROXY & set(found.get("reads_as_proxy", []))
    run.check(bool(proxy), f"a root container no longer reads the proxy's environment: {found}; the docs say it does")
    run.note(
        f"it reads the environment of {', '.join(found.get('reads', []))}, and as user 1337 that of {', '.join(sorted(proxy))}"
    )


def _restricted(run: ScenarioRun) -> None:
    spy = Task(name="spy", command=_command(run), uid=_SPY_UID)
    found = _spied(run, Shape(tasks=_tasks(spy)))
    run.check(set(found.get("sees", [])) >= _PROXY, f"the pod shares no processes, so this has tested nothing: {found}")
    run.check(not found.get("reads"), f"a container without root reads the environment of {found.get('reads')}")


def _unshared(run: ScenarioRun) -> None:
    spy = Task(name="spy", command=_command(run), root=True)
    found = _spied(run, three_lines(tasks=_tasks(spy)))
    others = set(found.get("sees", [])) - {"python3", "sh"}
    run.check(not others, f"a container sees processes of others: {sorted(others)}")
    for key in ("reads", "reads_as_proxy"):
        run.check(not found.get(key), f"a root container reads the environment of {found.get(key)}")


SCENARIOS = (
    Scenario(
        "trust-shared-root",
        "in a shared process namespace a root container reads the environment of the others, as documented",
        _root,
    ),
    Scenario(
        "trust-shared-restricted",
        "in a shared process namespace a container without root and capabilities reads no other one's environment",
        _restricted,
    ),
    Scenario(
        "trust-unshared-root",
        "beside a native proxy nothing is shared: a root container sees no process of another one",
        _unshared,
    ),
)
