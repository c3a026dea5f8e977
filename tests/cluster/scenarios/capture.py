"""Pods in which only a part of the traffic, or none, goes through the proxy: the proxy is there all the same."""

from functools import partial

from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import Agent, Shape, Task
from .common import AGENT, PLACEMENTS, SMALL, upload
from .endings import AGENT_BINARY

_HANGS_S = 90.0
_OUTBOUND = "traffic.sidecar.istio.io/{}OutboundIPRanges"
# The annotation, and what it means.
_LIMITS: dict[str, tuple[tuple[str, str], str]] = {
    "include": ((_OUTBOUND.format("include"), "10.0.0.0/8"), "only 10.0.0.0/8 is captured"),
    "exclude": ((_OUTBOUND.format("exclude"), "192.0.0.0/8"), "192.0.0.0/8 is not captured"),
    "none": (("sidecar.istio.io/interceptionMode", "NONE"), "nothing is captured"),
}
_CASES: tuple[tuple[str, Agent], ...] = (
    *((limit, agent) for limit in ("include", "exclude") for agent in PLACEMENTS),
    ("none", "native"),
)


def _short(limit: str, agent: Agent, run: ScenarioRun) -> None:
    annotation, _ = _LIMITS[limit]
    run.start(Shape(agent=agent, annotations=(annotation,), tasks=(Task(command=("true",)),)))
    run.wait_ended(_HANGS_S)
    run.check_end(route="")


def _wrapped(limit: str, run: ScenarioRun) -> None:
    words = (AGENT_BINARY, "exec", "--log", "info", "--", "python3", "/e2e/task.py", *upload("--at-once", size=SMALL))
    _in_task(limit, words, run)


def _wait(run: ScenarioRun) -> None:
    task = f"python3 /e2e/task.py {' '.join(upload('--at-once', size=SMALL))}"
    script = f"{AGENT_BINARY} wait && {task}; code=$?; {AGENT_BINARY} complete --exit-code $code; exit $code"
    _in_task("include", ("sh", "-c", script), run)


def _in_task(limit: str, words: tuple[str, ...], run: ScenarioRun) -> None:
    annotation, _ = _LIMITS[limit]
    run.start(Shape(agent="none", unpacks_agent=True, annotations=(annotation,), tasks=(Task(command=words),)))
    run.wait_ended(_HANGS_S)
    run.wait_received()
    run.observe_verdict_in_log()
    run.check_end(route="")
    run.check_delivered(SMALL)


SCENARIOS = (
    *(
        Scenario(
            f"limited-{limit}-{agent}",
            f"where {_LIMITS[limit][1]}, a task of milliseconds ends its pod and its proxy, with {AGENT[agent]}",
            partial(_short, limit, agent),
        )
        for limit, agent in _CASES
    ),
    *(
        Scenario(
            f"limited-wrapped-{limit}",
            f"where {_LIMITS[limit][1]}, exeunt-agent exec starts its command when the proxy is ready, and ends the proxy",
            partial(_wrapped, limit),
        )
        for limit in ("include", "exclude")
    ),
    Scenario("limited-wait", f"where {_LIMITS['include'][1]}, exeunt-agent wait waits for the proxy", _wait),
)
