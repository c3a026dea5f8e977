"""What the status of a pod says of the agent. Airflow's clients give the pod as an object."""

from typing import Any

from exeunt_airflow import verdict
from exeunt_airflow.container_names import AGENT
from exeunt_airflow.log import log
from exeunt_airflow.verdict import Verdict

# Kubelet's reasons for a container that waits for an image which it cannot get.
_NO_IMAGE = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
)


def state(pod: Any) -> Any:
    """The state of the agent's container, or `None`."""
    statuses = [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]
    return next((one.state for one in statuses if one.name == AGENT), None)


def missing_image(pod: Any) -> str | None:
    """A sentence about the agent's image, if kubelet cannot get it, with what to do."""
    waiting = getattr(state(pod), "waiting", None)
    if waiting is None or waiting.reason not in _NO_IMAGE:
        return None
    image = next(one.image for one in [*(pod.spec.init_containers or []), *pod.spec.containers] if one.name == AGENT)
    told = " ".join((waiting.message or "").split())
    sentence = (
        f"pod {pod.metadata.name}: kubelet cannot get the agent's image {image} ({waiting.reason}{f': {told}' if told else ''}). "
        "Correct [exeunt] image or image_pull_secrets; until then [exeunt] enabled = False makes pods without it"
    )
    return "".join(letter if letter.isprintable() else " " for letter in sentence)


def tell_verdict(name: str, end: Any) -> Verdict | None:
    """Logs the verdict of a pod whose agent has ended, in one line. `None` if it left none."""
    try:
        told = verdict.parse(end.message or "")
    except ValueError:
        log.warning("exeunt left no verdict in pod %s: it ended with %s (%s)", name, end.exit_code, end.reason)
        return None
    (log.info if told.is_good else log.warning)("pod %s: %s", name, told.sentence())
    return told
