"""`complete`: with the real filter in a real Envoy, without a proxy, and without the filter."""

import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from exeunt_airflow import complete
from harness.scene import Scene

MB = 1_000_000


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path) as scene:
        yield scene


def test_the_filter_accepts_it_and_the_proxy_ends_when_everything_is_delivered(scene: Scene) -> None:
    upstream = scene.upstream(rate=4 * MB)
    envoy = scene.envoy()
    task = scene.task(size=2 * MB)
    task.begin()
    task.report("written")
    status = complete(port=scene.sidecar.places.signal[1])
    assert status is not None
    assert status["state"] in ("draining", "quitting")
    envoy.gone(15)
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (2 * MB, True)


def test_it_does_nothing_in_a_worker_of_the_executor(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene.envoy()
    monkeypatch.setenv("AIRFLOW_IS_K8S_EXECUTOR_POD", "True")
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        assert complete(port=scene.sidecar.places.signal[1]) is None
    assert "its pod needs the agent" in caplog.text
    assert scene.status()["state"] == "serving"


def test_it_does_not_raise_without_a_proxy(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        assert complete(port=port) is None
    assert f"127.0.0.1:{port}" in caplog.text


class NotTheFilter(BaseHTTPRequestHandler):
    """The answer of an Envoy without the filter."""

    def do_POST(self) -> None:
        """Answers as Envoy does."""
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b"no healthy upstream")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Writes no log."""


def test_it_recognises_an_answer_that_is_not_from_the_filter(caplog: pytest.LogCaptureFixture) -> None:
    server = HTTPServer(("127.0.0.1", 0), NotTheFilter)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        assert complete(port=server.server_port) is None
    server.server_close()
    assert "it answered 503 no healthy upstream" in caplog.text
