"""In a network namespace with Istio's own capture rules, the real ports and the real users. Needs root."""

import signal
from http.client import HTTPException
from pathlib import Path

import pytest

from harness import messages
from harness.client import Connection, ask
from harness.delivery import check_all_delivered
from harness.pod import POD, TASK_UID, Pod
from harness.scene import COMPLETION_HEADER, SIGNAL_HEADERS, MakeScene
from harness.upstream import Upstream
from harness.wait import until

MB = 1_000_000


def test_a_captured_upload_is_delivered_and_the_proxy_leaves(pod: Pod, make_scene: MakeScene, version: str, route: str) -> None:
    scene = make_scene(version=version, route=route, pod=pod)
    upstream = scene.upstream(rate=4 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=12 * MB)
    agent = scene.agent(task)
    task.begin()
    crc = task.report("written")["crcs"][0]
    check_all_delivered(upstream, envoy, 12 * MB, crc=crc)
    assert envoy.pilot_agent is not None
    assert envoy.pilot_agent.wait() == 0
    verdict = agent.verdict()
    assert agent.wait() == 0
    assert messages.is_by_filter(verdict["route"])


def test_a_destination_that_the_mesh_does_not_know_is_waited_for_too(pod: Pod, make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version, pod=pod)
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=4 * MB, to=upstream.address)
    agent = scene.agent(task)
    task.begin()
    check_all_delivered(upstream, envoy, 4 * MB)
    assert agent.wait() == 0


def test_a_network_that_is_away_for_a_while_is_waited_for(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    upstream = scene.upstream(rate=MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=3 * MB)
    agent = scene.agent(task)
    task.begin()
    task.wait()
    pod.unplug()
    assert not envoy.ending.comes(1.5)
    pod.plug_in()
    check_all_delivered(upstream, envoy, 3 * MB)
    assert agent.wait() == 0


def test_a_network_that_never_comes_back_ends_at_the_stall_limit(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.plugin_config["stallTimeout"] = "1s"
    scene.upstream(rate=MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=3 * MB)
    agent = scene.agent(task, "--stall-timeout", "1s")
    task.begin()
    task.wait()
    pod.unplug()
    envoy.gone(15)
    verdict = agent.verdict()
    assert agent.wait() == 0
    assert verdict["undelivered"]["bytes"] > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_kubelets_sigterm_does_not_keep_the_agent_from_its_work(pod: Pod, make_scene: MakeScene, number: signal.Signals) -> None:
    scene = make_scene(pod=pod)
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=3 * MB)
    agent = scene.agent(task)
    task.begin()
    task.wait()
    # To a native sidecar it comes as soon as the main container has ended.
    agent.ending.send(number)
    check_all_delivered(upstream, envoy, 3 * MB)
    assert agent.wait() == 0


def test_an_http_request_is_captured_and_answered(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    upstream = scene.upstream(mode="http")
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("request", path="/result", size=100_000)
    agent = scene.agent(task)
    task.begin()
    assert task.report("answered")["status"] == 200
    assert upstream.report("request")["bytes"] == 100_000
    envoy.gone(5)
    assert agent.wait() == 0


def test_an_inbound_keep_alive_client_that_never_leaves_does_not_hold_the_pod(
    pod: Pod, make_scene: MakeScene, version: str
) -> None:
    scene = make_scene(version=version, pod=pod)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task)
    with Upstream(scene.folder, mode="http", network=pod, host=POD, port=7000, uid=TASK_UID) as server:
        client = Connection((POD, 7000), pod.outside)
        assert client.ask("GET", "/metrics").status == 200
        assert server.report("request")
        task.begin()
        task.wait()
        envoy.gone(10)
    client.close()
    assert agent.wait() == 0


@pytest.mark.parametrize("headers", [SIGNAL_HEADERS, SIGNAL_HEADERS | {"x-forwarded-for": "127.0.0.1"}])
def test_nobody_outside_the_pod_can_signal(pod: Pod, make_scene: MakeScene, route: str, headers: dict[str, str]) -> None:
    scene = make_scene(route=route, pod=pod)
    scene.sidecar.match_everywhere()
    envoy = scene.envoy()
    text = '{"container": "base", "exitCode": 0, "action": "quit"}'
    for port in (15190, 15001, 15006, 15021, 15090, 7000):
        try:
            answer = ask((POD, port), "POST", "/v1/complete", headers | {COMPLETION_HEADER: text}, network=pod.outside, timeout=2)
        except (OSError, HTTPException):
            continue
        assert "x-exeunt" not in answer.headers
    assert scene.status()["state"] == "serving"
    assert envoy.running


def test_an_agent_that_is_there_before_its_proxy_waits_for_it(pod: Pod, make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version, pod=pod)
    task = scene.task("idle")
    agent = scene.agent(task)
    task.begin()
    task.wait()
    # The task was shorter than the proxy's start: nobody listens yet.
    envoy = scene.envoy(pilot_agent=True)
    envoy.gone(20)
    assert agent.wait(20) == 0


def test_the_agent_sleeps_while_the_task_runs(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.envoy()
    task = scene.task("idle")
    agent = scene.agent(task)
    until("the agent sleeps", lambda: _field(agent.pid, "State").startswith("S"))
    before = _switches(agent.pid)
    # In two seconds whoever polls wakes up.
    assert not agent.ending.comes(2.0)
    assert _switches(agent.pid) == before


def test_when_the_agent_has_ended_the_pods_network_may_vanish(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    upstream = scene.upstream(rate=MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=4 * MB)
    agent = scene.agent(task)
    task.begin()
    task.wait()
    envoy.gone(20)
    agent.wait(20)
    # What kubelet does when the last container has ended.
    pod.unplug()
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (4 * MB, True)


def test_the_main_container_itself_can_complete(pod: Pod, make_scene: MakeScene, route: str) -> None:
    scene = make_scene(route=route, pod=pod)
    upstream = scene.upstream(rate=4 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=6 * MB)
    task.begin()
    task.wait()
    one_shot = scene.completer("--exit-code", "0")
    check_all_delivered(upstream, envoy, 6 * MB)
    assert one_shot.wait() == 0


def test_a_restarted_main_container_is_another_one(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    envoy = scene.envoy(pilot_agent=True)
    helper = scene.task("idle", container="other")
    task = scene.task("idle")
    agent = scene.agent(task)
    # The end of a container of another name means nothing.
    helper.begin()
    helper.wait()
    assert not envoy.ending.comes(1.0)
    task.begin()
    envoy.gone(10)
    assert agent.wait() == 0


def _field(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def _switches(pid: int) -> int:
    return int(_field(pid, "voluntary_ctxt_switches")) + int(_field(pid, "nonvoluntary_ctxt_switches"))
