"""A panic of the filter: Envoy's log names its place, and Envoy keeps running."""

import contextlib

from harness import messages, paths
from harness.scene import MakeScene
from harness.wait import until


def test_a_panic_names_its_place_in_envoys_log(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    # Only a module that is built for this test can panic on request.
    envoy = scene.envoy(wasm=paths.panicking_wasm())
    with contextlib.suppress(OSError):
        scene.ask("GET", "/v1/panic")
    until("the panic is logged", lambda: envoy.logged(messages.PANIC))
    assert envoy.running
