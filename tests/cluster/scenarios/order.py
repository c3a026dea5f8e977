"""The order of the native sidecars: kubelet ends them in the reverse order of their list."""

from .. import messages, observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT, PROXY, Task, three_lines
from .common import SIZE, SMALL, upload_task

_WORK_S = 2


def _three_sidecars(run: ScenarioRun) -> None:
    before = Task(("sidecar", "--work", str(_WORK_S)), name="s1")
    # What a sidecar sends when it ends is the agent's business too, if it is listed behind the agent.
    behind = Task(("sidecar", "--bytes", str(SMALL), "--rate", "1000000", "--work", str(_WORK_S)), name="s3")
    run.start(three_lines(before=(before,), behind=(behind,), tasks=upload_task()))
    pod = run.wait_ended()
    run.wait_received()
    run.wait_received("s3")
    run.check_end(proxy="left", route=messages.BY_SOCKETS)
    run.check_delivered(SIZE + SMALL)
    names = ("s3", AGENT, "s1", PROXY)
    ends = [observed.finished_at(pod, name) for name in names]
    known = [end for end in ends if end]
    run.check(len(known) == len(names) and known == sorted(known), f"{', '.join(names)} have ended at {ends}, not in this order")
    # The times of kubelet are whole seconds; those of the sidecars are exact.
    left, told = (
        float((observed.last_json(run.log(name), key) or {}).get(key, 0)) for name, key in (("s3", "ended"), ("s1", "term"))
    )
    run.check(0 < left <= told, f"s1 got SIGTERM {left - told:.1f} s before s3 had ended")


def _proxy_behind_agent(run: ScenarioRun) -> None:
    run.start_behind_agent(three_lines(tasks=upload_task()))
    run.wait_ended()
    run.wait_received()
    run.observe()
    run.check_phase("Succeeded")
    run.check(messages.ORDER in run.log(AGENT), "the agent's log does not say that the order is wrong")
    advice = str(run.facts.verdict_field("advice"))
    run.check(messages.ORDER in advice, f"the verdict does not advise another order, but: {advice}")
    run.facts.written = SIZE
    run.note(f"kubelet ends the proxy first: {run.facts.lost:,} bytes were lost")


SCENARIOS = (
    Scenario(
        "order-three",
        "of three native sidecars behind the proxy each ends when the one behind it has left, and all they have sent arrives",
        _three_sidecars,
    ),
    Scenario(
        "order-wrong",
        "an agent that is listed in front of the proxy says so at its start and in its verdict",
        _proxy_behind_agent,
    ),
)
