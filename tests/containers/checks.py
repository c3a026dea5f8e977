"""What must hold at the end of a pod, and how a test gets there."""

import os
from typing import Any

from containers.instance import Instance
from containers.jobpod import JobPod
from harness import messages
from harness.delivery import check_all_delivered
from harness.upstream import Upstream

MB = 1_000_000
# Slow enough that the task is long gone when the last byte is read.
RATE = 4 * MB
SIZE = 4 * MB

# Whether this kernel tells the exit status of a process that is not a child (PIDFD_GET_INFO with PIDFD_INFO_EXIT). Even then it
# does so only once the runtime has reaped it, and the agent does not wait long for that.
KERNEL_TELLS = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)


def begun(pod: JobPod, size: int = SIZE, rate: int = RATE, word: str = "go") -> tuple[Instance, Upstream]:
    """Starts a pod whose task uploads to a slow server, and lets the task work once everybody is there."""
    upstream = pod.upstream(rate=rate)
    pod.start(*pod.uploads(size))
    base = pod.ready()
    if pod.form != "absent":
        # Takes hold of Envoy while it is there.
        pod.proxy()
    base.say(word)
    return base, upstream


def check_delivered(pod: JobPod, upstream: Upstream, base: Instance, size: int = SIZE, *, code: int = 0) -> None:
    """The pod has ended, the task by its own `code`, and every byte that it wrote has arrived before its proxy left.

    The pod's network has been taken away at its end, so that nothing arrives by itself any more.
    """
    assert pod.kubelet.wait() == ("Succeeded" if code == 0 else "Failed")
    assert base.exit_code() == code
    written = base.report("written")
    assert (written["bytes"], written["failed"]) == (size, "")
    if pod.form == "absent":
        (delivery,) = upstream.deliveries()
        assert (delivery.bytes, delivery.in_order, delivery.crc) == (size, True, written["crcs"][0])
        return
    check_all_delivered(upstream, pod.proxy(len(pod.kubelet.runs("istio-proxy"))), size, crc=written["crcs"][0])


def check_verdict(
    pod: JobPod,
    *,
    code: int | None = 0,
    main: str = "base",
    by: tuple[str, ...] = (messages.BY_FILTER,),
    undelivered: bool = False,
) -> Any:
    """The verdict says what has happened; returns it."""
    verdict = pod.verdict(main=main)
    # A wrapper and a script know it from the task itself.
    assert verdict["exitStatus"] == "known" or pod.mode == "watch", verdict
    assert verdict["exitCode"] == (code if verdict["exitStatus"] == "known" else None), verdict
    assert verdict["container"] == main, verdict
    assert verdict["proxy"] == ("left" if pod.form == "native" else "gone"), verdict
    assert (verdict["route"] or "").split(" ")[0] in by, verdict
    assert (verdict["undelivered"]["bytes"] > 0) == undelivered, verdict
    return verdict


def check_nobody_was_restarted(pod: JobPod) -> None:
    """Every container has run once."""
    again = {name: len(pod.kubelet.runs(name)) for name in pod.names() if len(pod.kubelet.runs(name)) != 1}
    assert again == {}


def check_proxys_own_end(pod: JobPod) -> None:
    """Nobody killed a classic proxy: Envoy ended by itself. A native one was left to kubelet."""
    proxy = pod.kubelet.runs("istio-proxy")[-1]
    assert proxy.exit_code() == 0
    killed = [report["why"] for report in proxy.reports if report["event"] == "killed"]
    assert killed == (["SIGTERM"] if pod.form == "native" else [])


def check_well(pod: JobPod, upstream: Upstream, base: Instance, size: int = SIZE, *, code: int = 0) -> Any:
    """All of the above, where nothing went wrong; the verdict."""
    check_delivered(pod, upstream, base, size, code=code)
    check_nobody_was_restarted(pod)
    check_proxys_own_end(pod)
    return check_verdict(pod, code=code)
