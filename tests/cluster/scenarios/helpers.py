"""Helpers: containers beside the task that end when they are asked to, or a little later by themselves, or never."""

from functools import partial

from .. import messages, observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import AGENT_UID, Agent, Istio, Shape, Task
from .common import AGENT, FORM, MB, PAIRS, SMALL, outcome, upload

# Their names are known to the agent, and the requests that end them.
_VAULT = Task(name="vault-agent", command=("python3", "/e2e/servers.py", "app", "8200"), main=False)
_PROXY = Task(name="cloud-sql-proxy", command=("python3", "/e2e/servers.py", "app", "9091"), main=False)
# It sends its last data some seconds after the task.
_SHIPPER = Task(upload("--before", "10", size=MB, rate=0), name="shipper", main=False)
# It runs as the agent's user, so the agent may send it a signal.
_RENEWER = Task(("sidecar",), name="renewer", uid=AGENT_UID, main=False)
_ENDLESS = Task(name="cache", command=("sleep", "infinity"), main=False)
_ASKED = "http://127.0.0.1:9091/quitquitquit"
_VAULT_ASKED = "http://127.0.0.1:8200/agent/v1/quit"
_WORDS = ("--quit-signal", f"{_RENEWER.name}=TERM", "--also-wait", _SHIPPER.name)
_BOTH = SMALL + MB


def _all_end(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    words = ("--quit-endpoint", f"{_PROXY.name}={_ASKED}", *_WORDS) if istio == "native" else _WORDS
    tasks = (Task(upload(size=SMALL, rate=0)), _PROXY, _VAULT, _SHIPPER, _RENEWER)
    run.start(Shape(istio=istio, agent=agent, sharing=True, tasks=tasks, agent_words=words))
    # The agent must see when the task has ended: kubelet would wait for the helpers.
    run.by_kubelet = False
    run.wait_ended()
    run.wait_received()
    run.wait_received(_SHIPPER.name)
    run.check_end(proxy=outcome(istio))
    run.check_delivered(_BOTH)
    codes = {task.name: run.facts.exits.get(task.name) for task in tasks}
    run.check(not any(codes.values()), f"exit codes: {codes}")
    told = {one["container"]: one for one in (run.facts.verdict or {}).get("helpers", [])}
    asked_for = ((_PROXY, f"POST {_ASKED}"), (_VAULT, f"POST {_VAULT_ASKED}"), (_RENEWER, "SIGTERM"), (_SHIPPER, None))
    for task, asked in asked_for:
        one = told.get(task.name, {})
        run.check(one.get("asked") == asked, f"the verdict says that {task.name} got {one.get('asked')}, not {asked}")
        run.check(one.get("endedMs") is not None, f"the verdict does not say that {task.name} has ended: {one}")


def _one_stays(run: ScenarioRun) -> None:
    run.start(Shape(tasks=(Task(upload(size=SMALL, rate=0)), _ENDLESS)))
    run.wait("the agent to end", lambda pod: observed.terminated(pod, "istio-proxy") is not None)
    run.wait_until("the agent to name what still runs", lambda: messages.STILL_RUNS in run.log(AGENT_NAME))
    run.wait_received()
    # A native sidecar stays as long as its pod, and so its termination message is not there yet.
    run.observe()
    run.facts.verdict = observed.last_json(run.log(AGENT_NAME), "proxy")
    run.check_verdict(proxy="gone", route=messages.BY_FILTER)
    run.check_delivered(SMALL)
    told = [one["container"] for one in (run.facts.verdict or {}).get("helpers", [])]
    run.check(told == [_ENDLESS.name], f"the verdict names {told}, not {_ENDLESS.name}")
    run.note(next(line.strip() for line in run.log(AGENT_NAME).splitlines() if messages.STILL_RUNS in line))
    run.delete_pod(grace_s=1)
    run.wait_gone()


SCENARIOS = (
    *(
        Scenario(
            f"helpers-{istio}-{agent}",
            f"a helper that is asked, one that gets a signal and one that ends by itself all end, beside {FORM[istio]}, "
            f"with {AGENT[agent]}",
            partial(_all_end, istio, agent),
        )
        for istio, agent in PAIRS
    ),
    Scenario("helper-endless", "a helper that never ends keeps its pod, and the agent names it", _one_stays),
)
