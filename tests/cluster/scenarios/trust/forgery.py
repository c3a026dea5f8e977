"""A process of the pod says what is not true: to the filter, to the agent, or by its own name. The pod ends all the same."""

import json
import shlex
import unicodedata
from functools import partial

from ... import messages
from ...observed import last_json
from ...scenario import Scenario
from ...scenario_run import ScenarioRun
from ...several import each
from ...shape import AGENT as AGENT_NAME
from ...shape import AGENT_UID, TASK_UID, Agent, Policy, Shape, Task
from ..common import AGENT, PLACEMENTS, SMALL, upload
from ..second_pod import events
from .attack import SIGNAL_PORT, after_the_helper, script, until_the_proxy_ends

_PROXY_UID = 1337
_UPLOAD = f"task.py {' '.join(upload(size=SMALL))}"
# Longer than an agent that takes the process for the proxy, or for an end, would need to act.
_WORK_S = 5

# As long as an agent waits for a filter that it takes for a real one.
_LIMIT_S = 20
# What a listener on the signal port answers, to be taken for the filter that has drained the proxy and leaves it to kubelet.
_STATUS = {
    "state": "drained",
    "container": "base",
    "action": "quit",
    "inFlight": None,
    "unsent": None,
    "sinceMs": 0,
    # Whenever it is asked: this deadline moves for ever.
    "deadlineMs": _LIMIT_S * 1000,
    "drainTimeoutMs": _LIMIT_S * 1000,
    "stallTimeoutMs": _LIMIT_S * 1000,
    "limit": None,
    "version": "0.1.0",
}
_ANSWERS = {
    "drained": {"state": "drained"},
    "quit": _STATUS,
    "never": _STATUS | {"quits": False},
    "quitting": _STATUS | {"state": "quitting"},
}
_ACCEPTED, _FORBIDDEN = 202, 403
# A line that looks like a verdict, behind what moves the cursor, colours the terminal, and turns the direction of the text.
_FORGED_LINE = '{"version":"0.1.0","proxy":"gone","forged":true}'
_INJECTED = f"\x1b[2J\x1b[31mdrained\x07\r\n{_FORGED_LINE}\n\x7f\x9b1m\u202e\u2066\u200b\ufeff"
# What is neither text nor the end of a line.
_CONTROL = ("Cc", "Cf")

# Of the programs that the agent looks for, and one that no terminal should show.
_NAMES = {"envoy": "envoy", "pilot": "pilot-agent", "agent": "exeunt-agent", "pause": "pause", "odd": '\x1b[31m{"\n'}


def _ends(run: ScenarioRun, shape: Shape) -> None:
    run.start(shape)
    run.wait_ended()
    run.wait_received()
    run.check_end(route="")
    run.check_delivered(SMALL)
    run.note(f"by {run.facts.verdict_field('route')}")


def _drained_before(agent: Agent, run: ScenarioRun) -> None:
    _ends(run, Shape(agent=agent, tasks=(Task(command=script("intruder.py signal drain", _UPLOAD)),)))
    signalled = [event["signalled"] for event in events(run, "signalled")]
    run.check(signalled == [202], f"the filter has answered the task's own signal with {signalled}, so this has tested nothing")


def _with_impostor(agent: Agent, answer: str, uid: int, status: int = _ACCEPTED) -> Shape:
    server = until_the_proxy_ends(f"servers.py impostor {status} {shlex.quote(answer)}")
    tasks = (Task(command=after_the_helper(_UPLOAD)), Task(name="helper", command=server, main=False, uid=uid))
    return Shape(agent=agent, listener=False, drain="", tasks=tasks, agent_words=("--drain-timeout", f"{_LIMIT_S}s"))


def _unheard(run: ScenarioRun, shape: Shape) -> None:
    _ends(run, shape)
    rungs = run.facts.verdict_field("rungs") or []
    outcomes = [one["outcome"] for one in rungs if one["route"].endswith(f"127.0.0.1:{SIGNAL_PORT}")]
    expected = messages.not_the_proxy(TASK_UID)
    run.check(expected in outcomes, f"the verdict does not say that somebody else listens on the signal port, but {outcomes}")
    asked = events(run, "asked", "helper")
    run.check(not asked, f"the agent has talked to a listener of the task: {asked}")


def _impostor(agent: Agent, run: ScenarioRun) -> None:
    each(run, [(key, _with_impostor(agent, json.dumps(answer), TASK_UID)) for key, answer in _ANSWERS.items()], _unheard)


def _logged(run: ScenarioRun, shape: Shape) -> None:
    _ends(run, shape)
    asked = events(run, "asked", "helper")
    run.check(bool(asked), "the agent has not asked the listener, so this scenario has tested nothing")
    log = run.log(AGENT_NAME)
    wild = sorted({f"U+{ord(one):04X}" for one in log if one != "\n" and unicodedata.category(one) in _CONTROL})
    run.check(not wild, f"the agent's log has control characters: {', '.join(wild)}")
    forged = [line for line in log.splitlines() if line.startswith("{") and "forged" in line]
    run.check(not forged, f"the agent's log has a line of somebody else: {forged}")
    said = last_json(log, "proxy")
    run.check(said == run.facts.verdict, f"the last verdict in the log is not the agent's: {said}")


def _injected(run: ScenarioRun) -> None:
    fields = ("state", "container", "action", "limit", "version")
    answers = {
        "state": (_ACCEPTED, json.dumps(_STATUS | {"state": _INJECTED})),
        "fields": (_ACCEPTED, json.dumps(_STATUS | dict.fromkeys(fields, _INJECTED))),
        "text": (_ACCEPTED, _INJECTED),
        "refused": (_FORBIDDEN, _INJECTED),
    }
    # The agent asks a process with the proxy's user, which only root can give itself.
    shapes = [(key, _with_impostor("native", text, _PROXY_UID, status)) for key, (status, text) in answers.items()]
    each(run, shapes, _logged)


def _done(agent: Agent, run: ScenarioRun) -> None:
    # Kubelet restarts a killed regular container only under OnFailure.
    policy: Policy = "Never" if agent == "native" else "OnFailure"
    task = Task(command=script("intruder.py done", f"{_UPLOAD} --work {_WORK_S}"), uid=AGENT_UID)
    _ends(run, Shape(agent=agent, policy=policy, tasks=(task,)))
    run.check(bool(events(run, "forged")), "the task has not written into the agent's state folder, so this has tested nothing")
    restarts = run.facts.restarts.get(AGENT_NAME, 0)
    run.check(restarts >= 1, "the agent was not killed, so this scenario has tested nothing")


def _named(run: ScenarioRun) -> None:
    task = f"python3 /e2e/task.py {' '.join(upload('--before', str(_WORK_S), size=SMALL))}"
    shapes = []
    for key, name in _NAMES.items():
        words = ("python3", "/e2e/intruder.py", "name", name, "--", *task.split())
        shapes.append((key, Shape(tasks=(Task(command=words),))))
    each(run, shapes, _called)


def _called(run: ScenarioRun, shape: Shape) -> None:
    _ends(run, shape)
    named = events(run, "named")
    run.check(bool(named), "the task has not changed its name, so this scenario has tested nothing")


SCENARIOS = (
    *(
        Scenario(
            f"trust-drained-before-{agent}",
            f"a task that has the filter drain before its own end keeps nothing, with {AGENT[agent]}",
            partial(_drained_before, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"trust-impostor-{agent}",
            f"a listener of the task on the signal port is not asked, whatever it would answer, with {AGENT[agent]}",
            partial(_impostor, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"trust-done-{agent}",
            f"a task with the agent's uid that forges the agent's state and kills the agent keeps no proxy, with {AGENT[agent]}",
            partial(_done, agent),
        )
        for agent in PLACEMENTS
    ),
    Scenario(
        "trust-log",
        "a process with the proxy's user that answers as the filter puts no control character and no line into the agent's log",
        _injected,
    ),
    Scenario("trust-names", "a task that has the name of another program is watched to its end", _named),
)
