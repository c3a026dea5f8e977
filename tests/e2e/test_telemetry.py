"""What Envoy buffers of access logs and spans is sent before it ends, and nothing else is waited for."""

import pytest

from harness.client import ask
from harness.collector import Collector
from harness.envoy import Envoy
from harness.pod import Pod
from harness.scene import MakeScene, Scene
from harness.wait import until

# Five requests: their paths have eight digits.
TOLD = [f"/told-{10_000_000 + number}" for number in range(5)]
# What pilot-agent passes to Envoy for `runtimeValues` of the annotation proxy.istio.io/config.
AT_ONCE = "/runtime_modify?tracing.zipkin.min_flush_spans=1&tracing.opentelemetry.min_flush_spans=1"


def request_all(scene: Scene) -> None:
    """Sends the requests, through the proxy, and waits for their answers."""
    for path in TOLD:
        assert ask(scene.sidecar.places.http, "GET", path, {"host": "backend.example"}, network=scene.network).status == 200


def check_told(collector: Collector) -> None:
    """All requests have arrived at the collector. Only its own process can be late."""
    until(f"all is told: {collector.paths()}", lambda: set(TOLD) <= set(collector.paths()), 2.0)


def is_told(envoy: Envoy) -> bool:
    """Whether the agent has set the runtime of Envoy."""
    return envoy.admin("/runtime").json()["entries"].get("tracing.zipkin.min_flush_spans", {}).get("final_value") == "1"


@pytest.mark.parametrize("way", ["filter", "admin"])
def test_a_classic_proxy_ends_when_its_logs_and_spans_are_sent(make_scene: MakeScene, way: str) -> None:
    scene = make_scene(istio="1.30.3")
    als, logs, spans = (scene.collector(name) for name in ("als", "logs", "spans"))
    if way == "admin":
        scene.sidecar.without_signal_listener()
    scene.sidecar.send_telemetry(als=als.address, logs=logs.address, tracer=("opentelemetry", spans.address))
    scene.upstream(mode="http")
    envoy = scene.envoy()
    # As an annotation of the pod says it: then the agent knows that no span is left from before its start.
    assert envoy.admin(AT_ONCE, "POST").status == 200
    task = scene.task("idle")
    agent = scene.agent(task)
    request_all(scene)
    task.begin()
    verdict = agent.verdict()
    envoy.gone(5)
    for collector in (als, logs, spans):
        check_told(collector)
    assert verdict["route"].startswith(way)
    assert (verdict["proxy"], verdict["undelivered"]["bytes"], verdict["limit"]) == ("gone", 0, None)
    # The loggers flush every second.
    assert 1_000 <= verdict["telemetryMs"] <= verdict["drainMs"] < 4_000


def test_a_native_proxy_is_left_when_its_spans_are_sent(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod, istio="1.30.3")
    scene.sidecar.injected("native", "base")
    spans = scene.collector("spans")
    scene.sidecar.send_telemetry(tracer=("zipkin", spans.address))
    scene.upstream(mode="http")
    envoy = scene.envoy(pilot_agent=True)
    ours = scene.native_agent()
    until("the agent has spoken to Envoy", lambda: is_told(envoy))
    request_all(scene)
    ours.terminate()
    assert ours.wait(10) == 0
    verdict = ours.last_message()
    check_told(spans)
    assert (verdict["proxy"], verdict["route"]) == ("left", "filter 127.0.0.1:15190")
    # Zipkin's tracer would send the last span five seconds after the one before.
    assert verdict["telemetryMs"] < 1_000
    assert [path for path in spans.paths() if not path.startswith("/told")] == [], "the agent's own requests are no spans"


def test_spans_from_before_the_agent_are_waited_for_by_the_clock(make_scene: MakeScene) -> None:
    scene = make_scene(istio="1.30.3")
    spans = scene.collector("spans")
    scene.sidecar.send_telemetry(tracer=("zipkin", spans.address))
    scene.upstream(mode="http")
    scene.envoy()
    request_all(scene)
    task = scene.task("idle")
    agent = scene.agent(task)
    task.begin()
    verdict = agent.verdict()
    check_told(spans)
    assert 3_000 <= verdict["telemetryMs"] < 6_000


def test_without_the_wait_access_logs_are_lost(make_scene: MakeScene) -> None:
    scene = make_scene(istio="1.30.3")
    als = scene.collector("als")
    # Longer than a busy machine needs.
    scene.sidecar.send_telemetry(als=als.address, flush="20s")
    scene.upstream(mode="http")
    envoy = scene.envoy()
    task = scene.task("idle")
    agent = scene.agent(task, "--telemetry-timeout", "0")
    request_all(scene)
    task.begin()
    verdict = agent.verdict()
    envoy.gone(5)
    assert (verdict["telemetryMs"], verdict["undelivered"]["bytes"]) == (None, 0)
    assert als.paths() == [], "if nothing is lost, the other tests show nothing"


def test_a_collector_that_does_not_answer_costs_the_timeout(make_scene: MakeScene) -> None:
    scene = make_scene(istio="1.30.3")
    spans = scene.collector("spans", silent=True)
    scene.sidecar.send_telemetry(tracer=("zipkin", spans.address))
    scene.upstream(mode="http")
    envoy = scene.envoy()
    assert envoy.admin(AT_ONCE, "POST").status == 200
    task = scene.task("idle")
    agent = scene.agent(task, "--telemetry-timeout", "2s")
    request_all(scene)
    task.begin()
    verdict = agent.verdict()
    assert (verdict["proxy"], verdict["limit"]) == ("gone", None)
    assert 2_000 <= verdict["telemetryMs"] < 2_500
    assert "still buffers telemetry after 2s" in agent.describe()


def test_a_proxy_that_buffers_nothing_is_not_waited_for(make_scene: MakeScene) -> None:
    scene = make_scene(istio="1.30.3")
    scene.sidecar.discover_listeners()
    scene.upstream(mode="http")
    scene.envoy()
    task = scene.task("idle")
    agent = scene.agent(task)
    request_all(scene)
    task.begin()
    assert agent.verdict()["telemetryMs"] is None
