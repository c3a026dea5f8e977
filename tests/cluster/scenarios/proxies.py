"""What may happen to a proxy beside an agent that watches processes: it starts again, cannot start, or ends before its time."""

from functools import partial

from .. import messages, observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import MAIN, PROXY, Agent, Shape, Task
from .common import AGENT, PLACEMENTS, SIZE, upload, upload_task

_PROXY_UID = 1337
# The task needs some time to see that the proxy is ready, also on a busy node.
_KILLER = Task(("kill", "--ready", "--delay", "4"), name="killer", uid=_PROXY_UID, main=False)
_KILLER_AFTERWARDS = Task(("kill", "--after-end", "--delay", "1"), name="killer", uid=_PROXY_UID, main=False)
# How long a task works, and for how long of it at least its proxy has ended.
_WORK_S = 12
_WITHOUT_S = 5
# Much less than the five minutes in which a proxy may still appear.
_HANGS_S = 60.0
_GONE = ("gone", "none")


def _restarted(plugin: bool, run: ScenarioRun) -> None:
    drain = "on" if plugin else ""
    run.start(Shape(istio="native", agent="regular", drain=drain, listener=plugin, tasks=upload_task("--restart-proxy")))
    _check_restarted(run, messages.BY_FILTER if plugin else messages.BY_SOCKETS)


def _killed(run: ScenarioRun) -> None:
    run.start(Shape(istio="native", agent="regular", tasks=(Task(upload("--after-kill")), _KILLER)))
    _check_restarted(run, "")


def _check_restarted(run: ScenarioRun, route: str) -> None:
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route=route, proxy_restarts=1)
    run.check_delivered(SIZE)
    run.check_limit(None)
    run.check_agent_restarts(0)


def _check_without_proxy(run: ScenarioRun, proxies: tuple[str, ...]) -> None:
    """The pod has ended, and has failed because of its proxy, not because of the agent."""
    run.wait_ended()
    run.observe()
    run.check_phase("Failed")
    run.check(run.facts.exits.get(PROXY) != 0, f"{PROXY} has exit code 0, so this scenario has tested nothing")
    run.check_agent_exit(0)
    said = run.facts.verdict_field("proxy")
    run.check(said in proxies, f"the verdict says proxy {said}, not {' or '.join(proxies)}")


def _cannot_start(agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(agent=agent, proxy_command=("/no/such/command",), tasks=(Task(command=("sleep", "3")),)))
    run.wait_main_ended()
    run.wait("the pod to end", lambda pod: pod["status"].get("phase") == "Failed", _HANGS_S)
    _check_without_proxy(run, _GONE)
    run.note(f"the pod has ended {run.facts.seconds_after} s after its task")


def _died(agent: Agent, run: ScenarioRun) -> None:
    task = Task(("wait", "--work", str(_WORK_S)))
    run.start(Shape(agent=agent, tasks=(task, _KILLER)))
    pod = run.wait_ended()
    _check_without_proxy(run, _GONE)
    ends = [observed.finished_at(pod, name) for name in (PROXY, MAIN)]
    without = (ends[1] - ends[0]).total_seconds() if ends[0] and ends[1] else 0
    run.check(without >= _WITHOUT_S, f"the proxy has ended {without} s before the task, so this scenario has tested nothing")
    drained = run.facts.verdict_field("drainMs")
    run.check(drained is None, f"the proxy had ended before the task, but the verdict says that it drained {drained} ms")
    run.note(f"the verdict says: {run.facts.verdict_field('decided')}; {run.facts.verdict_field('ended')}")


def _killed_draining(agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(agent=agent, tasks=(Task(upload()), _KILLER_AFTERWARDS)))
    _check_without_proxy(run, ("gone",))
    run.wait_received()
    run.check_incomplete(SIZE)
    undelivered = run.facts.verdict_field("undelivered") or {}
    run.check(undelivered.get("atLeast") is True, f"the verdict does not say that its figure is a lower bound: {undelivered}")
    run.note(f"{run.facts.lost:,} bytes were lost; the verdict reports at least {run.facts.undelivered:,}")


SCENARIOS = (
    Scenario(
        "proxy-restarted-regular",
        "a native proxy that was restarted in the middle of the task delivers everything, with a regular agent",
        partial(_restarted, True),
    ),
    Scenario("proxy-restarted-regular-alone", "the same without the plugin", partial(_restarted, False)),
    Scenario("proxy-killed-regular", "the same after SIGKILL to Envoy and pilot-agent", _killed),
    *(
        Scenario(
            f"proxy-cannot-start-{agent}",
            f"a classic proxy that cannot start does not keep the pod, with {AGENT[agent]}",
            partial(_cannot_start, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"proxy-died-{agent}",
            f"after a classic proxy that was killed at least {_WITHOUT_S} s before its task the verdict of {AGENT_NAME} says so, "
            f"with {AGENT[agent]}",
            partial(_died, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"proxy-killed-draining-{agent}",
            f"after a classic proxy that was killed while it drained the verdict says that it lost at least so much, "
            f"with {AGENT[agent]}",
            partial(_killed_draining, agent),
        )
        for agent in PLACEMENTS
    ),
)
