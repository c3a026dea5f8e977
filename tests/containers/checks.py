"""The usual beginning of a test, and what must hold at the end of a pod."""

import os
from typing import Any

from containers.instance import Instance
from containers.jobpod import JobPod
from harness import messages
from harness.delivery import check_all_delivered
from harness.upstream import Upstream

MB = 1_000_000
# Slow enough that the task has long ended when the last byte is read.
RATE = 4 * MB
SIZE = 4 * MB

# Whether this kernel shows the exit status of a process that is not a child (PIDFD_GET_INFO with PIDFD_INFO_EXIT). It does so
# only after the runtime has reaped the process, and the agent does not wait long for that.
KERNEL_SHOWS_EXIT_STATUS = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)


def start_upload(pod: JobPod, size: int = SIZE, rate: int = RATE, line: str = "go") -> tuple[Instance, Upstream]:
    """Starts a pod whose task uploads to a slow server. When all containers are ready, `line` lets the task work."""
    upstream = pod.upstream(rate=rate)
    pod.start(*pod.upload_command(size))
    base = pod.ready()
    if pod.form != "absent":
        # Opens a pidfd for Envoy while it still runs.
        pod.proxy()
    base.send_line(line)
    return base, upstream


def check_delivered(pod: JobPod, upstream: Upstream, base: Instance, size: int = SIZE, *, code: int = 0) -> None:
    """The pod has ended, the task with exit code `code`, and every byte that it wrote has arrived before its proxy ended.

    Kubelet has removed the pod's network at its end, so bytes that the proxy left in the kernel cannot arrive later.
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
    container: str = "base",
    by: tuple[str, ...] = (messages.BY_FILTER,),
) -> Any:
    """The verdict agrees with a good end, in which nothing is lost; returns it."""
    verdict = pod.verdict(container=container)
    # `exec` and `complete` always know the exit code.
    assert verdict["exitStatus"] == "known" or pod.mode == "watch", verdict
    assert verdict["exitCode"] == (code if verdict["exitStatus"] == "known" else None), verdict
    if pod.kubelet_tells:
        # It tells neither which container has ended nor how.
        assert (verdict["container"], verdict["signal"], verdict["exitStatus"]) == (None, None, "unknown"), verdict
        assert verdict["ended"] == messages.ENDED_BY_KUBELET, verdict
    else:
        assert verdict["container"] == container, verdict
    assert verdict["proxy"] == ("left" if pod.form == "native" else "gone"), verdict
    assert messages.kind_of(verdict["route"]) in by, verdict
    assert verdict["undelivered"]["bytes"] == 0, verdict
    assert (verdict["limit"], verdict["advice"]) == (None, None), verdict
    return verdict


def check_early_verdict(verdict: Any) -> None:
    """The verdict, written during a drain that kubelet has begun, says what is lost if it is the last one."""
    assert (verdict["proxy"], verdict["ended"]) == ("draining", messages.ENDED_BY_KUBELET), verdict
    assert verdict["undelivered"]["bytes"] > 0, verdict
    assert verdict["limit"] == "grace-period", verdict
    assert messages.RAISE_GRACE_PERIOD in verdict["advice"], verdict


def without_filter(pod: JobPod) -> str:
    """The route of an agent that decides by itself: it ends a classic proxy, and leaves a native one to kubelet."""
    return messages.BY_SOCKET_TABLE if pod.form == "native" else messages.BY_ADMIN


def check_no_restart(pod: JobPod) -> None:
    """Every container has run exactly once."""
    others = {name: len(pod.kubelet.runs(name)) for name in pod.names() if len(pod.kubelet.runs(name)) != 1}
    assert others == {}


def check_proxy_ended_by_itself(pod: JobPod) -> None:
    """A classic proxy was not killed: Envoy ended by itself. A native one was ended by kubelet."""
    proxy = pod.kubelet.runs("istio-proxy")[-1]
    assert proxy.exit_code() == 0
    killed = [report["why"] for report in proxy.reports if report["event"] == "killed"]
    assert killed == (["SIGTERM"] if pod.form == "native" else [])


def check_good_end(pod: JobPod, upstream: Upstream, base: Instance, size: int = SIZE, *, code: int = 0) -> Any:
    """All of the above, for a pod in which nothing went wrong; returns the verdict."""
    check_delivered(pod, upstream, base, size, code=code)
    check_no_restart(pod)
    check_proxy_ended_by_itself(pod)
    return check_verdict(pod, code=code)


def check_idle_success(pod: JobPod, within: float = 45.0) -> None:
    """The pod of a task that did nothing has succeeded, and its proxy has ended by itself."""
    assert pod.kubelet.wait(within) == "Succeeded"
    check_no_restart(pod)
    check_proxy_ended_by_itself(pod)
    # When Envoy has only just started, its admin interface may answer before the filter does.
    check_verdict(pod, by=(messages.BY_FILTER, without_filter(pod)))


def check_pod_and_task_succeeded(pod: JobPod, base: Instance) -> None:
    """The pod has succeeded, and so has its task."""
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
