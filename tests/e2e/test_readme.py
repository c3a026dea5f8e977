"""The lines in the README that a user adds to a pod: these tests take them from the page and run them."""

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

# The form for which the README has the lines, and the form of the proxy.
CASES = [("native", "native"), ("classic", "classic"), ("classic", "native")]


def _added(lines_for: str) -> tuple[list[str], dict[str, Any]]:
    """The added lines for proxies of that form, and the pod that they make."""
    native, classic = re.findall(r"```diff\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = {"native": native, "classic": classic}[lines_for].splitlines()
    document = yaml.safe_load("\n".join(line[1:] for line in lines))
    return [line for line in lines if line.startswith("+")], document["spec"]["template"]["spec"]


def test_beside_a_native_proxy_it_is_a_container_of_three_lines() -> None:
    added, pod = _added("native")
    assert added[0].strip("+ ") == "initContainers:"
    assert len(added) == 1 + 3
    assert set(pod) == {"initContainers", "containers"}
    (container,) = pod["initContainers"]
    assert set(container) == {"name", "image", "restartPolicy"}
    assert (container["name"], container["restartPolicy"]) == ("exeunt", "Always")


def test_beside_a_classic_proxy_there_are_six_lines() -> None:
    added, pod = _added("classic")
    assert len(added) == 6
    assert pod["shareProcessNamespace"] is True
    (container,) = pod["initContainers"]
    assert (container["name"], container["restartPolicy"]) == ("exeunt", "Always")
    assert container["args"] == ["watch", "--placement", "native"]


@pytest.mark.parametrize(("lines_for", "form"), CASES, ids=lambda value: str(value))
def test_the_lines_lose_nothing_without_a_plugin(pod: Pod, make_scene: MakeScene, lines_for: str, form: str) -> None:
    _, wanted = _added(lines_for)
    scene = make_scene(pod=pod)
    scene.sidecar.without_signal_listener()
    scene.sidecar.injected(form, *(container["name"] for container in wanted["containers"]))
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    # Kubelet starts a native sidecar first.
    message = scene.folder / "message"
    message.touch()
    message.chmod(0o666)
    # A copy, because the pod's users may have no access to the folder of the repository.
    executable = shutil.copy(agent(), scene.folder / "exeunt-agent")
    argv = [*wanted["initContainers"][0].get("args", []), "--termination-log", str(message)]
    log = scene.folder / "agent.log"
    ours = Child([executable, *argv], log, network=pod, container="exeunt", uid=AGENT_UID, reports=False)
    with ours:
        task = scene.task(size=8 * MB, container=wanted["containers"][0]["name"])
        waits = messages.watching("main") if form == "classic" else messages.WAITS_FOR_KUBELET
        until("the agent waits for the end of the task", lambda: waits in log.read_text())
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
    assert verdict["route"] == {"classic": f"{messages.BY_ADMIN} 127.0.0.1:15000", "native": messages.BY_SOCKET_TABLE}[form]
    assert verdict["limit"] is None
