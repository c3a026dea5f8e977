"""The command drains a real Envoy through its admin interface. A double of the API server, in Rust, forwards between both."""

import os
import subprocess

from e2e.upload import MB, finished_upload
from harness.envoy import Envoy
from harness.paths import ROOT
from harness.scene import Scene

# The end of the output of `end --settle 2`.
_DELIVERED = "Envoy had nothing in flight for 2000 ms"


def _end(envoy: Envoy) -> str:
    """Ends the proxy, and returns what the command has printed."""
    suite = ["cargo", "test", "--quiet", "--manifest-path", ROOT / "cli" / "Cargo.toml", "--locked", "--test", "suite"]
    run = subprocess.run(
        [*suite, "--", "forward::a_real_envoy_is_drained_and_ended", "--exact", "--ignored", "--nocapture"],
        env=os.environ | {"EXEUNT_ADMIN_PORT": str(envoy.places.admin[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout, run.stdout
    return run.stdout


def test_an_idle_envoy_ends(scene: Scene) -> None:
    envoy = scene.envoy()
    assert _DELIVERED in _end(envoy)
    envoy.gone(within=0)


def test_what_envoy_still_holds_is_delivered_first(scene: Scene) -> None:
    started = finished_upload(scene, size=6 * MB, rate=MB)
    crc = started.crc()
    assert _DELIVERED in _end(started.envoy)
    started.check_delivered(crc=crc, within=0)
