"""The metrics of a job shorter than a scrape: an Envoy that ends in order sends them to its statsd sink (docs/agent.md)."""

import re
import signal
import socket
from collections.abc import Iterator

import pytest

from harness.client import ask
from harness.envoy import Envoy
from harness.scene import MakeScene, Scene

_REQUESTS = 5
# Envoy counts the requests of other pods a second time, as external ones.
_COUNTER = re.compile(rb"cluster\.outbound\|[^:]*(?<!external)\.upstream_rq_completed:(\d+)\|c")


@pytest.fixture
def statsd() -> Iterator[socket.socket]:
    """A server of statsd."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        yield server


def make_requests(scene: Scene, statsd: socket.socket) -> Envoy:
    """A proxy that has passed some requests on."""
    scene.sidecar.send_metrics(statsd.getsockname())
    scene.upstream(mode="http")
    envoy = scene.envoy()
    for _ in range(_REQUESTS):
        assert ask(scene.sidecar.places.http, "GET", "/", {"host": "backend.example"}).status == 200
    return envoy


def counted(statsd: socket.socket) -> int:
    """How many requests the received counters of the clusters add up to. Envoy sends each in a datagram, before it ends."""
    total = 0
    while True:
        try:
            found = _COUNTER.search(statsd.recv(65_536))
        except BlockingIOError:
            return total
        total += int(found[1]) if found else 0


@pytest.mark.parametrize("way", ["filter", "admin"])
def test_all_metrics_of_a_short_task_arrive_without_a_wait(make_scene: MakeScene, statsd: socket.socket, way: str) -> None:
    scene = make_scene(istio="1.30.3")
    if way == "admin":
        scene.sidecar.without_signal_listener()
    envoy = make_requests(scene, statsd)
    task = scene.task("idle")
    agent = scene.agent(task)
    task.begin()
    verdict = agent.verdict()
    envoy.gone(5)
    assert verdict["route"].startswith(way)
    assert counted(statsd) == _REQUESTS
    assert verdict["telemetryMs"] is None


def test_a_killed_proxy_takes_its_metrics_with_it(make_scene: MakeScene, statsd: socket.socket) -> None:
    envoy = make_requests(make_scene(istio="1.30.3"), statsd)
    envoy.ending.send(signal.SIGKILL)
    envoy.gone(5)
    assert counted(statsd) == 0, "if nothing is lost, the other test shows nothing"
