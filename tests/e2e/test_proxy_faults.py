"""A proxy that is not what it should be: the agent ends the pod all the same, and says how."""

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import messages
from harness.delivery import check_all_delivered
from harness.network import CLOSED, Address
from harness.scene import MakeScene, Scene
from harness.wait import until

MB = 1_000_000


class Failing(BaseHTTPRequestHandler):
    """Answers everything by 500, as an admin interface that is in trouble."""

    def do_GET(self) -> None:
        """Any request."""
        self.send_response(500)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def failing_admin() -> Iterator[Address]:
    """An admin interface that answers 500."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield ("127.0.0.1", server.server_address[1])
    server.shutdown()
    server.server_close()


def upload_and_end(scene: Scene, *flags: str) -> Any:
    """A whole upload; everything must arrive and the proxy must end. The agent's verdict."""
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=4 * MB)
    agent = scene.agent(task, *flags)
    task.begin()
    check_all_delivered(upstream, envoy, 4 * MB, within=20)
    verdict: Any = agent.verdict()
    assert agent.wait() == 0
    return verdict


def check_not_the_filters(scene: Scene, statuses: set[int]) -> None:
    answer = scene.ask("GET", "/v1/status")
    assert answer.status in statuses
    assert "x-exeunt" not in answer.headers


def check_second_way(scene: Scene, verdict: Any) -> None:
    # The kernel's facts were enough to know when; pilot-agent's status server was there to do it.
    assert messages.is_by_filter(verdict["route"])
    assert scene.pilot_agent.report("killed")["why"] == "quitquitquit"
    assert verdict["undelivered"]["bytes"] == 0


def test_a_module_that_could_not_be_fetched_is_known_by_its_silence(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.plugin_not_fetched()
    verdict = upload_and_end(scene)
    assert not messages.is_by_filter(verdict["route"])


def test_a_broken_module_is_refused_alone_and_the_pod_still_ends(make_scene: MakeScene, folder: Path, version: str) -> None:
    module = folder / "broken.wasm"
    module.write_bytes(b"\0asm\1\0\0\0garbage")
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True, wasm=module)
    check_not_the_filters(scene, {500, 503})
    task = scene.task(size=4 * MB)
    agent = scene.agent(task)
    task.begin()
    check_all_delivered(upstream, envoy, 4 * MB, within=20)
    assert not messages.is_by_filter(agent.verdict()["route"])


def test_the_filter_works_when_it_comes_by_discovery(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    assert messages.is_by_filter(upload_and_end(scene)["route"])


def test_a_proxy_that_went_while_the_task_ran_has_lost_nothing_of_what_it_held_long_before(make_scene: MakeScene) -> None:
    scene = make_scene()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    helper = scene.task(size=4 * MB)
    helper.begin()
    helper.report("written")
    task = scene.task("idle")
    # It meets the proxy in the middle of the helper's upload.
    agent = scene.agent(task)
    assert upstream.deliveries()[0].bytes == 4 * MB
    envoy.ending.send(signal.SIGTERM)
    envoy.gone(10)
    task.begin()
    task.wait()
    verdict = agent.verdict(within=10)
    assert (verdict["proxy"], verdict["undelivered"]) == ("gone", {"connections": 0, "bytes": 0})


def test_a_proxy_that_is_already_gone_is_no_trouble(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task)
    envoy.ending.send(signal.SIGKILL)
    envoy.gone(5)
    task.begin()
    task.wait()
    verdict = agent.verdict(within=10)
    assert agent.wait() == 0
    assert verdict["exitCode"] == 0


def test_a_proxy_that_dies_in_the_middle_of_the_drain_leaves_no_agent_behind(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.upstream(rate=MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=12 * MB)
    agent = scene.agent(task)
    task.begin()
    task.wait(30)
    until("the drain has begun", lambda: len(scene.transitions()) == 1)
    envoy.ending.send(signal.SIGKILL)
    agent.verdict(within=30)
    assert agent.wait() == 0


def test_a_proxy_that_hangs_for_a_moment_loses_nothing(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=4 * MB)
    agent = scene.agent(task)
    task.begin()
    task.report("written")
    envoy.ending.send(signal.SIGSTOP)
    task.wait()
    # Long enough for the agent to ask in vain.
    assert not envoy.ending.comes(1.0)
    envoy.ending.send(signal.SIGCONT)
    check_all_delivered(upstream, envoy, 4 * MB, within=20)
    assert agent.wait(20) == 0


def test_a_proxy_that_hangs_for_ever_ends_by_pilot_agent(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task, "--stall-timeout", "2s", "--drain-timeout", "4s")
    envoy.ending.send(signal.SIGSTOP)
    task.begin()
    envoy.gone(60)
    verdict = agent.verdict()
    assert agent.wait() == 0
    assert not messages.is_by_filter(verdict["route"])


def test_a_proxy_that_hangs_and_whose_pilot_agent_is_not_asked_ends_by_sigterm(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task, "--stall-timeout", "2s", "--drain-timeout", "4s", "--status-port", str(CLOSED[1]))
    envoy.ending.send(signal.SIGSTOP)
    task.begin()
    envoy.gone(90)
    verdict = agent.verdict()
    assert agent.wait() == 0
    assert verdict["route"] == messages.BY_SIGTERM
    assert {"route": messages.BY_SIGTERM, "outcome": "gone"} in verdict["rungs"]


def test_a_closed_admin_port_leaves_the_filter_its_second_way(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.cluster_at("prometheus_stats", CLOSED)
    check_second_way(scene, upload_and_end(scene))


def test_an_admin_interface_that_answers_500_leaves_the_filter_its_second_way(
    make_scene: MakeScene, failing_admin: Address, version: str
) -> None:
    scene = make_scene(version=version)
    scene.sidecar.cluster_at("prometheus_stats", failing_admin)
    check_second_way(scene, upload_and_end(scene))


def test_with_no_admin_interface_at_all_a_signal_without_facts_still_ends_the_proxy(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.cluster_at("prometheus_stats", CLOSED)
    scene.sidecar.plugin_config |= {"drainTimeout": "3s", "stallTimeout": "1s"}
    envoy = scene.envoy(pilot_agent=True)
    assert scene.complete().status == 202
    envoy.gone(15)


def test_the_agent_survives_a_signal_listener_that_speaks_nonsense(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.plugin_not_fetched()
    envoy = scene.envoy(pilot_agent=True)
    nonsense = scene.upstream(greeting="220 mail.example ESMTP\r\n")
    task = scene.task("idle")
    host, port = nonsense.address
    agent = scene.agent(task, "--signal-address", host, "--signal-port", str(port))
    task.begin()
    envoy.gone(20)
    assert json.dumps(agent.verdict())
    assert agent.wait() == 0
