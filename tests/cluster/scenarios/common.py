"""What several scenarios share: the sizes, the uploading task, and the words for the forms of the proxy and the agent."""

from .. import observed
from ..scenario_run import ScenarioRun
from ..shape import MAIN, PROXY, Agent, Istio, Task

MB = 1_000_000
# More than Envoy and the kernel can hold for a task that has written everything, about 10 MB. At this rate it takes six seconds.
SIZE = 12 * MB
RATE = 2 * MB
# Little enough that the task has written all of it, and ended, before the receiver has read it.
SMALL = 4 * MB
# At this rate SMALL takes 40 s.
SLOW = MB // 10
# An image that does not exist: RFC 2606 reserves .invalid.
NO_IMAGE = "exeunt.invalid/nothing:1"
# How long an image is missing: much longer than the --late-start of a scenario.
MISSING_S = 20
# How long a proxy that nothing ends is observed.
_OBSERVED_S = 15

FORMS: tuple[Istio, ...] = ("classic", "hold", "native")
PLACEMENTS: tuple[Agent, ...] = ("native", "regular")
# The placements that are tested with each form, where not all are.
PAIRS: tuple[tuple[Istio, Agent], ...] = (("classic", "native"), ("classic", "regular"), ("native", "native"))
# Where the agent watches the processes of the pod.
WATCHING: tuple[tuple[Istio, Agent], ...] = (("classic", "native"), ("classic", "regular"), ("native", "regular"))

FORM: dict[Istio, str] = {
    "classic": "a classic sidecar",
    "hold": "a classic sidecar that starts before the task",
    "native": "a native sidecar",
}
AGENT: dict[Agent, str] = {"native": "the agent as a native sidecar", "regular": "the agent as a regular container"}


def upload(*more: str, size: int = SIZE, rate: int = RATE) -> tuple[str, ...]:
    """The words of a task that uploads."""
    return ("upload", "--bytes", str(size), "--rate", str(rate), *more)


def upload_task(*more: str, size: int = SIZE, rate: int = RATE) -> tuple[Task, ...]:
    """A task that uploads, as the only one of its pod."""
    return (Task(upload(*more, size=size, rate=rate)),)


def slow_task(*more: str) -> tuple[Task, ...]:
    """A task whose upload takes 40 s: longer than Kubernetes' default grace period."""
    return upload_task(*more, size=SMALL, rate=SLOW)


def outcome(istio: Istio) -> str:
    """What the verdict must say of such a proxy."""
    return "left" if istio == "native" else "gone"


def supply_image_late(run: ScenarioRun) -> None:
    """Leaves the task without its image for MISSING_S. The proxy must stay meanwhile."""
    run.site.stop.wait(MISSING_S)
    pod = run.wait("the pod's state", lambda _pod: True)
    run.check(observed.is_running(pod, PROXY), f"the proxy has ended within the {MISSING_S} s in which its task had no image")
    run.patch_image(MAIN, run.site.where.task_image)


def check_proxy_stays(run: ScenarioRun) -> None:
    """Waits for the end of an upload without exeunt beside a classic proxy, which nothing ends."""
    run.wait_main_ended()
    run.site.stop.wait(_OBSERVED_S)
    run.wait_received()
    run.observe()
    pod = run.wait("the pod's state", lambda _pod: True)
    run.check(observed.is_running(pod, PROXY), "the proxy has ended without exeunt, so the other scenarios prove nothing")
    run.check_delivered(SIZE)
    run.note(f"still {run.facts.phase} {_OBSERVED_S} s after its task")
