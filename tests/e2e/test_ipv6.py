"""Pods that have IPv6, alone or beside IPv4. Root only. There is no capture: the proxy listens where the task sends."""

import pytest

from harness import messages
from harness.delivery import check_all_delivered
from harness.pod import BACKEND_V6, OUTSIDE_V6, Pod
from harness.scene import MakeScene, Scene

MB = 1_000_000


@pytest.mark.parametrize("alone", [False, True], ids=["dual-stack", "alone"])
def test_an_upload_over_ipv6_is_delivered_and_the_proxy_leaves(pod: Pod, make_scene: MakeScene, *, alone: bool) -> None:
    scene = _scene(pod, make_scene, alone=alone)
    upstream = scene.upstream(host=OUTSIDE_V6, rate=4 * MB)
    envoy = scene.envoy()
    task = scene.task(size=12 * MB)
    agent = scene.agent(task)
    task.begin()
    crc = task.report("written")["crcs"][0]
    check_all_delivered(upstream, envoy, 12 * MB, crc=crc)
    verdict = agent.verdict()
    assert verdict["route"] == f"{messages.BY_FILTER} {'[::1]' if alone else '127.0.0.1'}:15190"
    assert verdict["undelivered"] == {"connections": 0, "bytes": 0}


def test_without_a_filter_the_admin_interface_is_found_on_ipv6(pod: Pod, make_scene: MakeScene) -> None:
    scene = _scene(pod, make_scene, alone=True)
    scene.sidecar.without_plugin()
    upstream = scene.upstream(host=OUTSIDE_V6, rate=4 * MB)
    envoy = scene.envoy()
    task = scene.task(size=6 * MB)
    agent = scene.agent(task)
    task.begin()
    check_all_delivered(upstream, envoy, 6 * MB)
    assert agent.verdict()["route"] == f"{messages.BY_ADMIN} [::1]:15000"


def _scene(pod: Pod, make_scene: MakeScene, *, alone: bool) -> Scene:
    scene = make_scene(pod=pod)
    pod.add_ipv6()
    scene.sidecar.with_ipv6(BACKEND_V6)
    if alone:
        pod.remove_ipv4()
        scene.sidecar.without_ipv4()
    return scene
