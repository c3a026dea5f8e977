"""A part of the proxy is missing or broken: the plugin, the admin interface or the signal listener. The pod ends all the same."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from e2e.upload import MB, watched_upload
from harness import messages
from harness.delivery import check_all_delivered
from harness.network import CLOSED, Address
from harness.scene import MakeScene, Scene


class Failing(BaseHTTPRequestHandler):
    """Answers every request with 500."""

    def do_GET(self) -> None:
        """Answers any request."""
        self.send_response(500)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Logs nothing."""


@pytest.fixture
def failing_admin() -> Iterator[Address]:
    """An admin interface that answers every request with 500."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield ("127.0.0.1", server.server_address[1])
    server.shutdown()
    server.server_close()


def upload_to_the_end(scene: Scene) -> Any:
    """Runs a whole upload; everything must arrive and the proxy must end. Returns the agent's verdict."""
    upload = watched_upload(scene, size=4 * MB, rate=2 * MB)
    upload.check_delivered(within=20)
    return upload.verdict()


def check_ended_by_pilot_agent(scene: Scene, verdict: Any) -> None:
    """The filter knew from the agent's report when to quit, and used pilot-agent's status server for it."""
    assert messages.is_by_filter(verdict["route"])
    assert scene.pilot_agent.report("killed")["why"] == "quitquitquit"
    assert verdict["undelivered"]["bytes"] == 0


def test_without_a_fetched_module_the_agent_uses_another_route(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.plugin_not_fetched()
    assert not messages.is_by_filter(upload_to_the_end(scene)["route"])


def test_a_broken_module_is_refused_alone_and_the_pod_still_ends(make_scene: MakeScene, folder: Path, version: str) -> None:
    module = folder / "broken.wasm"
    module.write_bytes(b"\0asm\1\0\0\0garbage")
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True, wasm=module)
    answer = scene.ask("GET", "/v1/status")
    assert answer.status in {500, 503}
    assert "x-exeunt" not in answer.headers
    task = scene.task(size=4 * MB)
    agent = scene.agent(task)
    task.begin()
    check_all_delivered(upstream, envoy, 4 * MB, within=20)
    assert not messages.is_by_filter(agent.verdict()["route"])


def test_a_discovered_plugin_works(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    assert messages.is_by_filter(upload_to_the_end(scene)["route"])


def test_without_an_admin_interface_the_filter_uses_pilot_agent(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.cluster_at("prometheus_stats", CLOSED)
    check_ended_by_pilot_agent(scene, upload_to_the_end(scene))


def test_with_an_admin_interface_that_answers_500_the_filter_uses_pilot_agent(
    make_scene: MakeScene, failing_admin: Address, version: str
) -> None:
    scene = make_scene(version=version)
    scene.sidecar.cluster_at("prometheus_stats", failing_admin)
    check_ended_by_pilot_agent(scene, upload_to_the_end(scene))


def test_without_an_admin_interface_a_signal_without_facts_still_ends_the_proxy(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.cluster_at("prometheus_stats", CLOSED)
    scene.sidecar.plugin_config |= {"drainTimeout": "3s", "stallTimeout": "1s"}
    envoy = scene.envoy(pilot_agent=True)
    assert scene.complete().status == 202
    envoy.gone(15)


def test_the_agent_survives_a_signal_listener_that_does_not_speak_http(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.plugin_not_fetched()
    envoy = scene.envoy(pilot_agent=True)
    mail_server = scene.upstream(greeting="220 mail.example ESMTP\r\n")
    task = scene.task("idle")
    host, port = mail_server.address
    agent = scene.agent(task, "--signal-address", host, "--signal-port", str(port))
    task.begin()
    envoy.gone(20)
    assert json.dumps(agent.verdict())
    assert agent.wait() == 0
