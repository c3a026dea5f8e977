"""How a pod may begin: a task of milliseconds, an image that comes late, an agent that comes late."""

from functools import partial

from harness import messages

from .. import observed
from ..play import Play
from ..pods import AGENT as AGENT_NAME
from ..pods import MAIN, PROXY, Agent, Istio, Shape, Task
from ..scenario import Scenario
from .words import AGENT, FORM, MB, fate, upload

# The name of an image that nobody has: RFC 2606 keeps .invalid free.
_NO_IMAGE = "exeunt.invalid/nothing:1"
_LATE_START = ("--late-start", "5s")
# How long an image stays away: well over --late-start.
_AWAY_S = 20
_SMALL = 4 * MB


def _short(istio: Istio, agent: Agent, play: Play) -> None:
    play.start(Shape(istio=istio, agent=agent, tasks=(Task(command=("true",)),)))
    play.wait_ended()
    # It may be over before Envoy has a listener, and then there is no filter to tell.
    play.check_end(proxy=fate(istio), route="")
    play.note(f"by {(play.facts.verdict or {}).get('route')}")


def _late_image(agent: Agent, play: Play) -> None:
    play.patient = True
    late = _LATE_START if agent == "regular" else ()
    play.start(Shape(agent=agent, tasks=(Task(upload(size=_SMALL), image=_NO_IMAGE),), agent_words=late), bare=True)
    play.wait("the proxy to run", lambda pod: observed.is_running(pod, PROXY))
    play.site.stop.wait(_AWAY_S)
    pod = play.wait("the pod to be there", lambda _pod: True)
    play.check(observed.is_running(pod, PROXY), f"after {_AWAY_S} s without its task the proxy does not run any more")
    play.patch_image(MAIN, play.site.where.task_image)
    play.wait_ended()
    play.wait_received()
    play.check_end()
    play.check_delivered(_SMALL)


def _late_agent(play: Play) -> None:
    play.patient = True
    tasks = (Task(upload(size=_SMALL, rate=0)),)
    play.start(Shape(agent="regular", tasks=tasks, agent_image=_NO_IMAGE, agent_words=_LATE_START), bare=True)
    play.wait("the task to end", lambda pod: observed.terminated(pod, MAIN) is not None)
    play.patch_image(AGENT_NAME, play.site.where.agent_image)
    play.wait_ended()
    play.wait_received()
    play.check_end()
    play.check_delivered(_SMALL)
    play.note(f"ended by: {(play.facts.verdict or {}).get('ended')}")


def _late_agent_on_hold(play: Play) -> None:
    play.patient = True
    tasks = (Task(upload(size=_SMALL, rate=0)),)
    play.start(Shape(istio="hold", agent="regular", tasks=tasks, agent_image=_NO_IMAGE, agent_words=_LATE_START), bare=True)
    play.wait("the task to end", lambda pod: observed.terminated(pod, MAIN) is not None)
    play.patch_image(AGENT_NAME, play.site.where.agent_image)
    play.wait_until("the agent to say that it waits on", lambda: messages.no_sign_of(MAIN) in play.log(AGENT_NAME))
    play.wait_received()
    play.look()
    said = next(line for line in play.log(AGENT_NAME).splitlines() if messages.no_sign_of(MAIN) in line)
    play.check(messages.KEEPS_WAITING in said, f"the agent does not wait, it says: {said}")
    play.check(play.facts.phase == "Running", f"the pod is {play.facts.phase}: a proxy was ended without evidence")
    play.check_delivered(_SMALL)
    play.note(f"the agent says: {said.strip()}")


SCENARIOS = (
    *(
        Scenario(
            f"late-image-{agent}",
            f"a task whose image comes {_AWAY_S} s late finds its proxy there, with {AGENT[agent]}",
            partial(_late_image, agent),
        )
        for agent in ("native", "regular")
    ),
    Scenario("late-agent", "an agent whose image comes after the task's end has the proxy leave, on evidence", _late_agent),
    Scenario("late-agent-hold", "the same without evidence, beside a proxy listed first, waits and says so", _late_agent_on_hold),
    *(
        Scenario(
            f"short-{istio}-{agent}",
            f"a task of milliseconds ends its pod, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_short, istio, agent),
        )
        for istio, agent in (("classic", "native"), ("classic", "regular"), ("hold", "native"), ("native", "native"))
    ),
)
