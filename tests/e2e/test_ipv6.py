"""Pods with IPv6, alone or beside IPv4, without capture: the proxy listens on the backend's address; needs root."""

import pytest

from e2e.upload import MB, watched_upload
from harness import messages
from harness.pod import Pod
from harness.podnet import BACKEND_V6, OUTSIDE_V6
from harness.scene import MakeScene, Scene


@pytest.mark.parametrize("alone", [False, True], ids=["dual-stack", "alone"])
def test_an_upload_over_ipv6_is_delivered_and_the_proxy_leaves(pod: Pod, make_scene: MakeScene, *, alone: bool) -> None:
    scene = _scene(pod, make_scene, alone=alone)
    upload = watched_upload(scene, size=12 * MB, pilot_agent=False, host=OUTSIDE_V6, rate=4 * MB)
    upload.check_delivered(crc=upload.crc())
    verdict = upload.verdict()
    assert verdict["route"] == f"{messages.BY_FILTER} {'[::1]' if alone else '127.0.0.1'}:15190"
    assert verdict["undelivered"] == {"connections": 0, "bytes": 0, "atLeast": False}


def test_without_a_filter_the_admin_interface_is_found_on_ipv6(pod: Pod, make_scene: MakeScene) -> None:
    scene = _scene(pod, make_scene, alone=True)
    scene.sidecar.without_plugin()
    upload = watched_upload(scene, size=6 * MB, pilot_agent=False, host=OUTSIDE_V6, rate=4 * MB)
    upload.check_delivered()
    assert upload.verdict()["route"] == f"{messages.BY_ADMIN} [::1]:15000"


def _scene(pod: Pod, make_scene: MakeScene, *, alone: bool) -> Scene:
    scene = make_scene(pod=pod)
    pod.add_ipv6()
    scene.sidecar.with_ipv6(BACKEND_V6)
    if alone:
        pod.remove_ipv4()
        scene.sidecar.without_ipv4()
    return scene
