"""The smallest addition to a pod in the README: these tests take it from the page and run it."""

import json
import re
import shutil
import signal
from typing import Any

import pytest
import yaml

from e2e.upload import MB
from harness import messages
from harness.child import Child
from harness.delivery import check_all_delivered
from harness.paths import ROOT, agent
from harness.pod import AGENT_UID, Pod
from harness.scene import MakeScene
from harness.wait import until

# What the injector writes to the annotation that the last of the lines reads.
STATUS = {
    "classic": '{"initContainers":["istio-init"],"containers":["istio-proxy"]}',
    "native": '{"initContainers":["istio-init","istio-proxy"],"containers":null}',
}


def _least() -> tuple[list[str], dict[str, Any]]:
    """The added lines, and the pod that they make."""
    section = (ROOT / "README.md").read_text().split("## What is the least that I must add?")[1]
    match = re.search(r"```diff\n(.*?)```", section, re.DOTALL)
    assert match is not None
    lines = match[1].splitlines()
    document = yaml.safe_load("\n".join(line[1:] for line in lines))
    return [line for line in lines if line.startswith("+")], document["spec"]["template"]["spec"]


def test_there_are_seven_lines_and_they_are_a_native_sidecar() -> None:
    added, pod = _least()
    assert len(added) == 7
    assert pod["shareProcessNamespace"] is True
    (container,) = pod["initContainers"]
    assert (container["name"], container["restartPolicy"]) == ("exeunt", "Always")
    assert container["args"][1:3] == ["--container", pod["containers"][0]["name"]]
    (variable,) = container["env"]
    assert variable["name"] == "EXEUNT_ISTIO_STATUS"
    path = variable["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.annotations['sidecar.istio.io/status']"


@pytest.mark.parametrize("form", ["classic", "native"])
def test_the_seven_lines_lose_nothing_without_a_plugin(pod: Pod, make_scene: MakeScene, form: str) -> None:
    _, wanted = _least()
    scene = make_scene(pod=pod)
    scene.sidecar.without_signal_listener()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    # Kubelet starts a native sidecar first.
    message = scene.folder / "message"
    message.touch()
    message.chmod(0o666)
    # A copy, because the pod's users may have no access to the folder of the repository.
    executable = shutil.copy(agent(), scene.folder / "exeunt-agent")
    argv = [*wanted["initContainers"][0]["args"], "--istio-status", STATUS[form], "--termination-log", str(message)]
    log = scene.folder / "agent.log"
    ours = Child([executable, *argv], log, network=pod, container="exeunt", uid=AGENT_UID, reports=False)
    with ours:
        task = scene.task(size=8 * MB, container=wanted["containers"][0]["name"])
        until("the agent watches the task", lambda: messages.watching("main") in log.read_text())
        task.begin()
        task.wait()
        if form == "native":
            # Kubelet sends it when the regular containers have ended, and to istio-proxy only after the agent's end.
            ours.ending.send(signal.SIGTERM)
            assert ours.wait(30) == 0
            assert envoy.running
            scene.pilot_agent.ending.send(signal.SIGTERM)
        check_all_delivered(upstream, envoy, 8 * MB, within=30)
        if form == "classic":
            until("the agent has written its verdict", lambda: message.read_text().endswith("}\n"))
            assert ours.running, "kubelet would restart the agent"
            ours.ending.send(signal.SIGTERM)
            assert ours.wait() == 0
    verdict = json.loads(message.read_text())
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ({"classic": "gone", "native": "left"}[form], 0)
    assert verdict["route"].startswith(f"{messages.BY_ADMIN} ")
