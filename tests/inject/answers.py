"""What a test reads in an answer of the injector."""

from chart.programs import Resource
from inject import pods
from inject.releases import Answer, Release
from inject.template import with_options


def taken(answer: Answer) -> Resource:
    """The pod, which was not refused."""
    assert answer.pod is not None, answer.refused
    return answer.pod


def has_agent(answer: Answer) -> bool:
    """Whether the pod has an agent."""
    return any(pods.AGENT in pods.names(taken(answer), place) for place in pods.LISTS)


def reason(answer: Answer) -> str:
    """Why a pod has no agent; empty if nothing is said."""
    return str(taken(answer)["metadata"]["annotations"].get(pods.SKIPPED, ""))


def injected(release: Release, native: bool, pod: Resource | None = None, **options: str) -> Resource:
    """A Job's pod, or another one, with the template with these options."""
    (answer,) = release.inject(with_options(**options), native, [pod or pods.job()])
    return taken(answer)


def agent(release: Release, native: bool, pod: Resource | None = None, **options: str) -> Resource:
    """The agent's container that these options make."""
    return pods.agent_of(injected(release, native, pod, **options))[1]
