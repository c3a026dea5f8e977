"""A process of the pod that is not the proxy listens where a filter would. The agent looks whose listener it is; needs root."""

import json
import re
from dataclasses import dataclass

import pytest

from e2e.upload import MB, watched_upload
from harness.child import Child
from harness.delivery import check_all_delivered
from harness.paths import PROGRAMS, PYTHON
from harness.pod import TASK_UID, Pod
from harness.scene import MakeScene, Scene

# What no terminal may get from somebody else: control characters, and those that change the direction of a text.
_HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class Answer:
    """The answer of a stranger to every request."""

    status: int
    body: str


def status(**fields: object) -> str:
    """A filter's status, as a stranger can forge it."""
    return json.dumps({"state": "drained", "action": "quit", "quits": False, "version": "9.9.9"} | fields)


ANSWERS = {
    "it is drained and never quits": Answer(202, status()),
    "it is drained and a day is left": Answer(202, status(state="draining", deadlineMs=86_400_000, drainTimeoutMs=86_400_000)),
    "it is in a state of its own": Answer(202, status(state='\x1b[2J\n{"proxy":"gone"}\n\u202e')),
    "a forged verdict": Answer(400, '\x1b[2J\x1b[H\u202e\n{"proxy":"gone","undelivered":{"bytes":0}}\n\x9b31m'),
}


def stranger(scene: Scene, pod: Pod, answer: Answer, port: int = 15190) -> Child:
    """Starts a process with the task's uid, by default on the signal port of a pod without a filter."""
    if port == scene.sidecar.places.signal[1]:
        scene.sidecar.without_signal_listener()
    argv = [*PYTHON, PROGRAMS / "stranger.py", "--listen", "127.0.0.1", "--port", str(port), "--uid", str(TASK_UID)]
    argv += ["--status", str(answer.status), "--body", json.dumps(answer.body)]
    child = Child(argv, scene.folder / "stranger.log", network=pod, container="other")
    child.report("listening")
    return child


def check_printed(scene: Scene) -> None:
    """The log of the agent has no hidden character, and one verdict."""
    log = (scene.folder / "agent.log").read_text()
    assert not _HIDDEN.search(log), repr(log)
    assert len([line for line in log.splitlines() if line.startswith("{")]) == 1, log


@pytest.mark.parametrize("form", ["classic", None])
@pytest.mark.parametrize("answer", [pytest.param(answer, id=name.replace(" ", "_")) for name, answer in ANSWERS.items()])
def test_a_stranger_on_the_signal_port_does_not_keep_a_classic_proxy(
    pod: Pod, make_scene: MakeScene, form: str | None, answer: Answer
) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected(form, "base", "exeunt")
    with stranger(scene, pod, answer) as listener:
        upload = watched_upload(scene, "--restart-policy", "Never", size=4 * MB, rate=2 * MB)
        upload.check_delivered()
        verdict = upload.verdict()
        assert not [report for report in listener.reports if report["event"] == "asked"]
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)
    assert verdict["route"].startswith("admin ")
    assert verdict["rungs"][0] == {
        "route": "filter 127.0.0.1:15190",
        "outcome": f"a process of uid {TASK_UID} listens there, not the proxy",
    }
    check_printed(scene)


def test_a_stranger_on_the_signal_port_does_not_make_a_native_proxy_lose_data(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("native", "base", "exeunt")
    with stranger(scene, pod, ANSWERS["it is drained and never quits"]):
        upload = watched_upload(scene, "--restart-policy", "Never", size=4 * MB, rate=2 * MB, pilot_agent=False)
        verdict = upload.verdict()
    (delivery,) = upload.upstream.deliveries()
    assert delivery.bytes == 4 * MB
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("left", 0)
    assert not verdict["route"].startswith("filter ")


def test_a_stranger_that_was_there_before_the_proxy_is_not_the_proxy(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("classic", "base", "exeunt")
    upstream = scene.upstream(rate=2 * MB)
    task = scene.task(size=4 * MB)
    with stranger(scene, pod, ANSWERS["it is drained and never quits"]):
        # The agent sees the stranger's listener first, and must not take the stranger's sockets for those of the proxy.
        agent = scene.agent(task, "--proxy", "classic")
        envoy = scene.envoy(pilot_agent=True)
        task.begin()
        check_all_delivered(upstream, envoy, 4 * MB, within=20)
        assert agent.verdict(20)["proxy"] == "gone"


def test_a_stranger_on_the_port_of_the_admin_interface_does_not_tell_the_form(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    # As with `proxyAdminPort`, of which the agent was not told.
    scene.sidecar.admin_at(15777)
    status = json.dumps({"initContainers": ["istio-proxy"], "containers": None})
    metadata = {"ANNOTATIONS": {"sidecar.istio.io/status": status}, "APP_CONTAINERS": "base"}
    with stranger(scene, pod, Answer(200, json.dumps({"node": {"metadata": metadata}})), port=15000):
        upload = watched_upload(scene, "--container", "base", size=4 * MB, rate=2 * MB)
        upload.check_delivered()
        verdict = upload.verdict()
    assert (verdict["action"], verdict["proxy"]) == ("quit", "gone")
    assert "counts as a regular container" in verdict["decided"]
