"""The plugin's configuration, the filter's metrics and its log lines."""

import re

import pytest

from harness import messages
from harness.scene import MakeScene
from harness.wait import until

METRICS = {
    "exeunt_state",
    "exeunt_drain_milliseconds",
    "exeunt_in_flight",
    "exeunt_undelivered_bytes",
    "exeunt_signals_accepted",
    "exeunt_signals_refused",
}

MISTAKES = {
    "drainTimeout": "5 parsecs",
    "stallTimeout": 15,
    "settle": "1h",
    "quit": "maybe",
    "maxClusters": -1,
    "adminCluster": "",
    "ignoreClusters": "all",
    "signal": {"port": 70000, "addresses": ["localhost"], "colour": "red"},
    "colour": "red",
}


def test_a_bad_configuration_is_refused_with_every_mistake_named(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    scene.sidecar.plugin_config = MISTAKES
    envoy = scene.envoy()
    said = "\n".join(envoy.logged(messages.FILTER_LOG))
    for field in [*MISTAKES, "signal.port", "signal.addresses", "signal.colour"]:
        assert re.search(messages.mistake_at(field), said) or field == "signal", f"{field} is not named in:\n{said}"
    # Envoy rejects only the plugin: Envoy serves, and the filter does not answer on the signal listener.
    assert "x-exeunt" not in scene.ask("GET", "/v1/status").headers
    assert envoy.running


@pytest.mark.parametrize("text", ["", "{}", "null", " "])
def test_no_configuration_means_the_defaults(make_scene: MakeScene, text: str) -> None:
    scene = make_scene()
    scene.sidecar.plugin_config = text
    envoy = scene.envoy()
    # The default port is 15190: on another port the filter does not answer.
    assert "x-exeunt" not in scene.ask("GET", "/v1/status").headers
    assert envoy.running


def test_text_that_is_not_json_is_refused(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.discover_plugin()
    scene.sidecar.plugin_config = "signal: {port: 1}"
    envoy = scene.envoy()
    assert any(messages.NOT_JSON in line for line in envoy.logged(messages.FILTER_LOG))


def test_the_metrics_pass_istios_stats_matcher_and_move(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upstream = scene.upstream(rate=1_000_000)
    envoy = scene.envoy()
    before = envoy.stats("wasmcustom")
    assert {name.removeprefix("wasmcustom.") for name in before} == METRICS
    assert set(before.values()) == {0}
    task = scene.task(size=2_000_000)
    task.begin()
    task.wait()
    scene.complete(exitCode="nonsense")
    scene.complete(action="drain")
    until("the metric shows the state", lambda: envoy.stats("exeunt_state")["wasmcustom.exeunt_state"] == 1)
    until("the metric shows the bytes in flight", lambda: envoy.stats("exeunt_in_flight")["wasmcustom.exeunt_in_flight"] == 1)
    upstream.deliveries()
    scene.await_state("drained")
    after = {name.removeprefix("wasmcustom."): value for name, value in envoy.stats("wasmcustom").items()}
    assert after["exeunt_signals_accepted"] == 1
    assert after["exeunt_signals_refused"] == 1
    assert after["exeunt_drain_milliseconds"] > 500
    assert after["exeunt_undelivered_bytes"] == 0
    assert after["exeunt_in_flight"] == 0


def test_the_filter_logs_one_line_per_transition_and_none_per_request(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    envoy = scene.envoy()
    before = len(envoy.logged(messages.FILTER_LOG))
    for _ in range(20):
        scene.status()
        scene.ask("GET", "/nowhere")
    assert len(envoy.logged(messages.FILTER_LOG)) == before
    scene.complete(action="drain")
    scene.await_state("drained")
    until("the log has both transitions", lambda: len(envoy.logged(messages.FILTER_LOG)) == before + 2)


def test_above_max_clusters_the_filter_does_not_ask_for_them(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.plugin_config |= {"maxClusters": 1, "stallTimeout": "1s", "drainTimeout": "3s"}
    envoy = scene.envoy()
    unsent = {"connections": 0, "bytes": 0, "downstream": 0}
    scene.complete(unsent=unsent)
    scene.complete(unsent=unsent)
    envoy.gone(10)
