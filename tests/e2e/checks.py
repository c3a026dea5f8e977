"""What must hold of a filter that drains."""

from harness.envoy import Envoy
from harness.scene import Scene
from harness.wait import until


def check_drain_continues(scene: Scene, envoy: Envoy) -> None:
    """Envoy uses a new configuration of the plugin, and every worker still reports the drain of the container `before`."""
    until("Envoy uses the new configuration", lambda: envoy.plugin_version() == "2")
    assert {scene.status()["state"] for _ in range(20)} == {"draining"}
    assert scene.status()["container"] == "before"


def check_stays(scene: Scene, envoy: Envoy) -> None:
    """The proxy is drained and keeps running."""
    scene.await_state("drained")
    # A quit takes 50 ms.
    assert not envoy.ending.comes(1.0)
