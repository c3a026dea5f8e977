"""What may disturb a pod in the middle of its task: the proxy ends, or a SIGTERM comes that is not kubelet's."""

from dataclasses import replace
from functools import partial

from .. import messages
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT_UID, Shape, Task, three_lines
from .common import MB, SIZE, upload, upload_task

_PROXY_UID = 1337
# At this rate SIZE needs 40 s.
_SLOW = 300_000


def _told(*tasks: Task, plugin: bool) -> Shape:
    """A pod that shares its processes, so that one container can send a signal to another; kubelet tells the end all the same."""
    return Shape(istio="native", sharing=True, tasks=tasks, drain="on" if plugin else "", listener=plugin)


def _check(run: ScenarioRun, *, plugin: bool, agent: int = 0, proxy: int = 0) -> None:
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route=messages.BY_FILTER if plugin else messages.BY_SOCKETS, proxy_restarts=proxy)
    run.check_delivered(SIZE)
    run.check_limit(None)
    run.check_agent_restarts(agent)


def _restarted_proxy(plugin: bool, run: ScenarioRun) -> None:
    shape = Shape(istio="native") if plugin else three_lines()
    run.start(replace(shape, tasks=upload_task("--restart-proxy")))
    _check(run, plugin=plugin, proxy=1)


def _killed_proxy(run: ScenarioRun) -> None:
    killer = Task(("kill", "--delay", "2"), name="killer", uid=_PROXY_UID, main=False)
    run.start(_told(*upload_task("--after-kill"), killer, plugin=False))
    _check(run, plugin=False, proxy=1)


def _stray(plugin: bool, run: ScenarioRun) -> None:
    killer = Task(("kill", "--signal", "TERM", "--delay", "2"), name="killer", uid=AGENT_UID, main=False)
    # The task works on after the stray signal, until the agent has left and was started again.
    run.start(_told(Task(upload("--after-kill", "--work", "5")), killer, plugin=plugin))
    _check(run, plugin=plugin, agent=1)


def _stray_during_upload(run: ScenarioRun) -> None:
    killer = Task(("kill", "--signal", "TERM", "--delay", "4"), name="killer", uid=AGENT_UID, main=False)
    # The task ends while the agent still waits because of the stray signal, and needs more time then than is left of its 28 s.
    run.start(_told(Task(upload("--work", "8", rate=_SLOW)), killer, plugin=False))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route="")
    run.check_delivered(SIZE)
    run.check_limit(None)
    run.note(f"the agent was restarted {run.facts.restarts.get('exeunt', 0)} times")


def _killed_agent(run: ScenarioRun) -> None:
    killer = Task(("kill", "--delay", "2"), name="killer", uid=AGENT_UID, main=False)
    run.start(_told(Task(upload("--after-kill", "--work", "2")), killer, plugin=True))
    _check(run, plugin=True, agent=1)


SCENARIOS = (
    Scenario(
        "stray-uploading",
        "a stray SIGTERM during a long upload takes nothing from the time of the drain after the task",
        _stray_during_upload,
    ),
    Scenario(
        "stray-plugin",
        "a stray SIGTERM to the agent costs nothing: it comes back, and serves the true one",
        partial(_stray, True),
    ),
    Scenario("stray", "the same without the plugin", partial(_stray, False)),
    Scenario(
        "proxy-restarted-plugin",
        f"after a restart of Envoy in the middle of the task a slow upload of {SIZE // MB} MB arrives completely",
        partial(_restarted_proxy, True),
    ),
    Scenario("proxy-restarted", "the same without the plugin", partial(_restarted_proxy, False)),
    Scenario("proxy-killed", "the same after SIGKILL to Envoy and pilot-agent", _killed_proxy),
    Scenario(
        "killed-sleeping", "an agent that is killed while it waits for kubelet's word comes back and serves it", _killed_agent
    ),
)
