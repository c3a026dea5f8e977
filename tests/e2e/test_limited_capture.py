"""Whether a pod has a proxy that has not started: by what was told, then by what Istio captures; needs root."""

from pathlib import Path

import pytest

from harness import paths
from harness.child import Child
from harness.pod import TASK_UID, Pod

# The proxy is not ready: exeunt-agent has waited for one.
WAITED = 69
OUTBOUND = "-A OUTPUT -p tcp {} -j REDIRECT --to-ports 15001"


def wait(pod: Pod, folder: Path, *flags: str) -> int:
    """The exit code of `exeunt-agent wait` in the pod. Without a proxy to come it ends at once, with 0."""
    argv: list[str | Path] = [paths.agent(), "wait", "--ready-timeout", "1s", *flags]
    with Child(argv, folder / "wait.log", network=pod, container="base", uid=TASK_UID, reports=False) as agent:
        return agent.wait(20)


def test_captured_traffic_shows_a_proxy_that_has_not_started(pod: Pod, tmp_path: Path) -> None:
    assert wait(pod, tmp_path) == WAITED


def test_where_nothing_was_told_only_the_address_that_is_tried_shows_a_proxy(pod: Pod, tmp_path: Path) -> None:
    pod.captures(OUTBOUND.format("-d 10.0.0.0/8"))
    assert wait(pod, tmp_path) == 0


@pytest.mark.parametrize("rules", [(), (OUTBOUND.format("-d 10.0.0.0/8"),), (OUTBOUND.format("! -d 192.0.0.0/8"),)])
@pytest.mark.parametrize("form", ["classic", "native"])
def test_what_was_told_counts_whatever_is_captured(pod: Pod, tmp_path: Path, rules: tuple[str, ...], form: str) -> None:
    pod.captures(*rules)
    assert wait(pod, tmp_path, "--proxy", form) == WAITED


def test_ipv6_alone_can_be_captured(pod: Pod, tmp_path: Path) -> None:
    pod.captures()
    pod.add_ipv6()
    assert wait(pod, tmp_path) == 0
    pod.captures(OUTBOUND.format(""), version=6)
    assert wait(pod, tmp_path) == WAITED


@pytest.mark.parametrize("version", [4, 6])
def test_a_firewall_outside_of_the_pod_that_refuses_is_no_proxy(pod: Pod, tmp_path: Path, version: int) -> None:
    pod.captures()
    pod.add_ipv6()
    pod.refuse_outside(version)
    assert pod.is_refused(version)
    assert wait(pod, tmp_path) == 0
