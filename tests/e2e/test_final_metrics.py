"""The metrics of a job shorter than a scrape: an Envoy that ends in order sends them to its statsd sink (docs/agent.md)."""

import re
import signal
import socket
from collections.abc import Iterator

import pytest

from harness.client import ask
from harness.envoy import Envoy
from harness.scene import MakeScene, Scene
from harness.wait import until

_REQUESTS = 5
# Envoy counts the requests of other pods a second time, as external ones.
_COUNTER = re.compile(rb"cluster\.outbound\|[^:]*(?<!external)\.upstream_rq_completed:(\d+)\|c")


@pytest.fixture
def statsd() -> Iterator[socket.socket]:
    """A server of statsd."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        # For the datagrams of several flushes, some eighty each, which are read at the end.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.setblocking(False)
        yield server


def start(scene: Scene, statsd: socket.socket, every: str = "299s") -> Envoy:
    """Starts a proxy that sends its metrics after this time, which by default is longer than the test."""
    scene.sidecar.send_metrics(statsd.getsockname(), every)
    scene.upstream(mode="http")
    return scene.envoy()


def request(scene: Scene) -> None:
    """Sends some requests through the proxy."""
    for _ in range(_REQUESTS):
        assert ask(scene.sidecar.places.http, "GET", "/", {"host": "backend.example"}).status == 200


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
    envoy = start(scene, statsd)
    request(scene)
    task = scene.task("idle")
    agent = scene.agent(task)
    task.begin()
    verdict = agent.verdict()
    envoy.gone(5)
    assert verdict["route"].startswith(way)
    assert counted(statsd) == _REQUESTS
    assert verdict["telemetryMs"] is None


def test_a_native_proxy_is_left_when_its_metrics_are_sent(make_scene: MakeScene, statsd: socket.socket) -> None:
    scene = make_scene(istio="1.30.3")
    envoy = start(scene, statsd, every="2s")
    task = scene.task("idle")
    agent = scene.agent(task, "--proxy", "native")
    until("the agent has spoken to Envoy", lambda: "it sends each span at once" in agent.describe())
    request(scene)
    task.begin()
    verdict = agent.verdict()
    assert (verdict["proxy"], envoy.running) == ("left", True)
    assert counted(statsd) == _REQUESTS, "kubelet kills the proxy, so nothing comes later"
    assert 0 < verdict["telemetryMs"] <= 2_500


def test_a_killed_proxy_takes_its_metrics_with_it(make_scene: MakeScene, statsd: socket.socket) -> None:
    scene = make_scene(istio="1.30.3")
    envoy = start(scene, statsd)
    request(scene)
    envoy.ending.send(signal.SIGKILL)
    envoy.gone(5)
    assert counted(statsd) == 0, "if nothing is lost, the other test shows nothing"
