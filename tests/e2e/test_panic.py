"""A panic of the filter: what Envoy's log says of it, and that Envoy goes on."""

import contextlib

from harness import paths
from harness.scene import MakeScene
from harness.wait import until


def test_a_panic_names_its_place_in_envoys_log(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    # Only a module that is built for the tests can be made to panic.
    envoy = scene.envoy(wasm=paths.panicking_wasm())
    with contextlib.suppress(OSError):
        scene.ask("GET", "/v1/panic")
    until("the panic is logged", lambda: envoy.logged(r"wasm log.*: panicked at src/panics\.rs:\d+:\d+:$"))
    assert envoy.logged("a test has sent a request to /v1/panic")
    assert envoy.running
