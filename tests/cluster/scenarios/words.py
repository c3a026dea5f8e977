"""What tasks are told, and how forms are called."""

from ..pods import Task

MB = 1_000_000
# What Envoy and the kernel can hold of a task that has written everything: some 10 MB. At this rate that takes six seconds.
SIZE = 12 * MB
RATE = 2 * MB

FORM = {
    "classic": "a classic sidecar",
    "hold": "a classic sidecar that the task is held for",
    "native": "a native sidecar",
}
AGENT = {"native": "the agent as a native sidecar", "regular": "the agent as a regular container", "none": "no agent"}


def upload(*more: str, size: int = SIZE, rate: int = RATE) -> tuple[str, ...]:
    """The words of a task that uploads."""
    return ("upload", "--bytes", str(size), "--rate", str(rate), *more)


def uploading(*more: str, size: int = SIZE, rate: int = RATE) -> tuple[Task, ...]:
    """The one task of a pod, which uploads."""
    return (Task(upload(*more, size=size, rate=rate)),)


def fate(istio: str) -> str:
    """What becomes of such a proxy."""
    return "left" if istio == "native" else "gone"
