"""Traffic of a pod with Istio's own capture rules, the real ports and the real users; needs root."""

from http.client import HTTPException

import pytest

from e2e.upload import MB, watched_upload
from harness import messages
from harness.client import Connection, ask
from harness.delivery import check_all_delivered
from harness.pod import TASK_UID, Pod
from harness.podnet import POD
from harness.scene import COMPLETION_HEADER, SIGNAL_HEADERS, MakeScene, completion
from harness.upstream import Upstream


def test_a_captured_upload_is_delivered_and_the_proxy_leaves(pod: Pod, make_scene: MakeScene, version: str, route: str) -> None:
    scene = make_scene(version=version, route=route, pod=pod)
    upload = watched_upload(scene, size=12 * MB, rate=4 * MB)
    upload.check_delivered(crc=upload.crc())
    assert scene.pilot_agent.wait() == 0
    assert messages.is_by_filter(upload.verdict()["route"])


def test_the_proxy_waits_for_a_destination_outside_the_mesh(pod: Pod, make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version, pod=pod)
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=4 * MB, to=upstream.address)
    agent = scene.agent(task)
    task.begin()
    check_all_delivered(upstream, envoy, 4 * MB)
    assert agent.wait() == 0


def test_a_network_that_is_down_for_a_while_loses_nothing(pod: Pod, make_scene: MakeScene) -> None:
    upload = watched_upload(make_scene(pod=pod), size=3 * MB, rate=MB)
    upload.task.wait()
    pod.unplug()
    assert not upload.envoy.ending.comes(1.5)
    pod.plug_in()
    upload.check_delivered()


def test_a_network_that_stays_down_ends_the_wait_at_the_stall_limit(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.plugin_config["stallTimeout"] = "1s"
    upload = watched_upload(scene, "--stall-timeout", "1s", size=3 * MB, rate=MB)
    upload.task.wait()
    pod.unplug()
    upload.envoy.gone(15)
    assert upload.verdict()["undelivered"]["bytes"] > 0


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


def test_an_inbound_keep_alive_client_does_not_keep_the_pod(pod: Pod, make_scene: MakeScene, version: str) -> None:
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


def test_where_envoy_itself_tells_the_address_the_agents_signal_is_accepted(
    pod: Pod, make_scene: MakeScene, version: str, route: str
) -> None:
    scene = make_scene(version=version, route=route, pod=pod)
    scene.sidecar.use_remote_address()
    upload = watched_upload(scene, size=4 * MB, rate=4 * MB)
    upload.check_delivered()
    assert messages.is_by_filter(upload.verdict()["route"])


@pytest.mark.parametrize("headers", [SIGNAL_HEADERS, SIGNAL_HEADERS | {"x-forwarded-for": "127.0.0.1"}])
def test_no_client_outside_the_pod_can_signal(pod: Pod, make_scene: MakeScene, route: str, headers: dict[str, str]) -> None:
    scene = make_scene(route=route, pod=pod)
    scene.sidecar.match_everywhere()
    envoy = scene.envoy()
    signal = headers | {COMPLETION_HEADER: completion()}
    for port in (15190, 15001, 15006, 15021, 15090, 7000):
        try:
            answer = ask((POD, port), "POST", "/v1/complete", signal, network=pod.outside, timeout=2)
        except (OSError, HTTPException):
            continue
        assert "x-exeunt" not in answer.headers
    assert scene.status()["state"] == "serving"
    assert envoy.running
