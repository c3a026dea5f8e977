"""The task of a pod: uploads, fails or works as its options say, and writes its events to stdout.

usage: task.py upload|request|fail|wait|probe|kill|kill-all|freeze|thaw|meter|helper|sidecar
       [--id ID] [--bytes N] [--rate N] [--stall-at N] [--stall-for S] [--exit N]
       [--failures N] [--late] [--work S] [--linger S] [--complete] [--restart-proxy] [--after-kill]
       [--signal NAME] [--delay S] [--after-end] [--attempts N] [--for S] [--before S] [--at-once] [--ready] [--stay]
       [--requests N] [--quit]
"""

import argparse
import base64
import contextlib
import gzip
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

_READY = "http://127.0.0.1:15021/healthz/ready"
_SERVER_INFO = "http://127.0.0.1:15000/server_info"
_QUIT = "http://127.0.0.1:15000/quitquitquit"
_SIGNAL = "http://127.0.0.1:15190/v1/complete"
# In a volume of the pod, so that they survive a restart of the container, and other containers see them.
_ATTEMPTS = Path("/scratch/attempts")
_KILLED = Path("/scratch/killed")
_PROC = Path("/proc")
_POLL_S = 0.1
# The exit code of an attempt that must fail.
_FAILURE = 3
# The exit code of a task that has found no proxy at its start.
_NOT_READY = 4
# As the kernel names its process.
_AGENT = "exeunt-agent"
_TICKS = os.sysconf("SC_CLK_TCK")
# A proxy that is not ready after this time does not become ready, also on a busy node.
_TIMEOUT_S = 240.0
_PIECE = bytes(65_536)
_WHAT = ("upload", "request", "fail", "wait", "probe", "kill", "kill-all", "freeze", "thaw", "meter", "helper", "sidecar")


def say(**event: Any) -> None:
    """Writes one event to stdout."""
    print(json.dumps(event), flush=True)


def wait_ready() -> None:
    """Waits until the proxy can carry traffic; a classic proxy starts at the same time as the task."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        if is_ready():
            return
        time.sleep(_POLL_S)
    raise SystemExit("the proxy did not become ready")


def is_ready() -> bool:
    """Whether the proxy can carry traffic now."""
    with contextlib.suppress(OSError), urllib.request.urlopen(_READY, timeout=1):
        return True
    return False


def wait_gone() -> None:
    """Waits until the proxy has ended, as a helper container that ends only by itself."""
    deadline = time.monotonic() + _TIMEOUT_S
    while is_ready():
        if time.monotonic() > deadline:
            raise SystemExit("the proxy has not ended")
        time.sleep(_POLL_S)


def wait_killed() -> None:
    """Waits until another container has killed what it was to kill."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not _KILLED.exists():
        if time.monotonic() > deadline:
            raise SystemExit("nothing was killed")
        time.sleep(_POLL_S)


def quit_proxy() -> None:
    """Ends Envoy by its own admin interface, and waits until it has gone; kubelet restarts a native sidecar."""
    with urllib.request.urlopen(urllib.request.Request(_QUIT, method="POST"), timeout=5) as answer:
        say(quit=answer.status)
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(_SERVER_INFO, timeout=1).close()
        except OSError:
            return
        time.sleep(_POLL_S / 10)
    raise SystemExit("Envoy has not ended")


def linger(seconds: float) -> None:
    """Lets this process work on for so long after SIGTERM, and end then."""

    def on_term(_number: int, _frame: object) -> None:
        say(term=time.time())
        time.sleep(seconds)
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_term)


def wait_term() -> None:
    """Sleeps until SIGTERM, as a sidecar does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.sigwait({signal.SIGTERM})
    say(term=time.time())


def upload(options: argparse.Namespace) -> None:
    """Writes every byte to the receiver and closes the connection; the kernel and the proxy may still hold the bytes."""
    host, _, port = os.environ["E2E_RECEIVER"].rpartition(":")
    header = {"id": options.id, "rate": options.rate, "stallAt": options.stall_at, "stallFor": options.stall_for}
    with socket.create_connection((host, int(port)), timeout=_TIMEOUT_S) as connection:
        connection.settimeout(None)
        connection.sendall(json.dumps(header).encode() + b"\n")
        left = options.bytes
        while left > 0:
            left -= connection.send(_PIECE[:left])
    say(written=options.bytes)


def request(number: int) -> None:
    """Sends so many requests to the server, one after the other. Their paths are those that the collectors look for."""
    server = os.environ["E2E_SERVER"]
    for path in (f"/told-{10_000_000 + one}" for one in range(number)):
        with urllib.request.urlopen(f"http://{server}{path}", timeout=10) as answer:
            answer.read()
    say(requested=number)


def attempts_made() -> int:
    """How many attempts have begun, for a task that counts them."""
    with contextlib.suppress(OSError, ValueError):
        return int(_ATTEMPTS.read_text())
    return 0


def failed_before(failures: int) -> bool:
    """Counts this attempt; whether it is one of the first `failures`, which must fail."""
    attempt = attempts_made()
    _ATTEMPTS.write_text(str(attempt + 1))
    return attempt < failures


def complete() -> None:
    """Signals the end of the task to the filter, as a script in a pod without an agent can."""
    completion = json.dumps({"container": "base", "exitCode": 0, "action": "quit", "unsent": None})
    headers = {"x-exeunt": "1", "x-exeunt-completion": completion}
    request = urllib.request.Request(_SIGNAL, method="POST", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (a constant)
        say(completed=answer.status)


def probe() -> None:
    """Writes the versions of Envoy and Istio, and the agent's binary; needs the agent's uid."""
    with urllib.request.urlopen(_SERVER_INFO, timeout=5) as answer:
        info = json.load(answer)
    metadata = info.get("node", {}).get("metadata", {})
    say(envoy=info.get("version", ""), istio=metadata.get("ISTIO_VERSION", ""))
    # The agent's image has no program that could copy the binary, but a process of the same uid may read it through /proc.
    for pid in others_of_our_uid():
        with contextlib.suppress(OSError):
            binary = (_PROC / str(pid) / "exe").read_bytes()
            say(agent=base64.b64encode(gzip.compress(binary, mtime=0)).decode())
            return


def others_of_our_uid() -> list[int]:
    """The other processes of this process's user."""
    pids = [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]
    mine = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if pid != os.getpid() and (_PROC / str(pid)).stat().st_uid == os.getuid():
                mine.append(pid)
    return mine


def runs(container: str) -> bool:
    """Whether a container with this name runs, by the mounts of its processes."""
    for path in _PROC.iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                if f"/containers/{container}/" in (path / "mountinfo").read_text():
                    return True
    return False


def kill(number: signal.Signals, *, delay: float, after_end: bool, attempts: int) -> None:
    """Sends the signal to all other processes of its own user, in a pod with shareProcessNamespace: to the agent or to the proxy.

    It does so while the task runs, or with `after_end` as soon as it has ended, after that many attempts.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    began = False
    while time.monotonic() < deadline:
        victims, running = others_of_our_uid(), runs("base")
        began = began or running
        if victims and began and running != after_end and attempts_made() >= attempts:
            time.sleep(delay)
            for pid in victims:
                os.kill(pid, number)
            say(killed=victims)
            _KILLED.touch()
            return
        time.sleep(_POLL_S)
    raise SystemExit("no process was found")


def signal_agent(number: signal.Signals) -> None:
    """Sends a signal to the agent, in a pod with shareProcessNamespace: true; needs the agent's uid."""
    agents = [pid for pid in others_of_our_uid() if (_PROC / str(pid) / "comm").read_text().strip() == _AGENT]
    if not agents:
        raise SystemExit("no agent was found")
    for pid in agents:
        os.kill(pid, number)
    say(signalled=agents)


def kill_all(delay: float) -> None:
    """Ends every process that it may signal, as some init programs do at their end: first by SIGTERM, then by SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        # To every process but the first one of the namespace and this one. In a namespace of its own there is none.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)
            say(killed_all=number.name)
        time.sleep(delay)


def meter(seconds: float) -> None:
    """Writes how much CPU time the other processes of its user have used, once per second for so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        say(at=time.monotonic(), cpu=sum(cpu_seconds(pid) for pid in others_of_our_uid()))
        time.sleep(1)


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process, in user and in kernel mode."""
    with contextlib.suppress(OSError):
        # The name, which is the second field, may contain spaces.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


def main() -> int:
    """Does what the options say; the exit code is `--exit`, or 3 for an attempt that must fail (`--late`: after its upload)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=_WHAT)
    parser.add_argument("--id", default=os.environ.get("E2E_ID", ""))
    parser.add_argument("--bytes", type=int, default=0)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--stall-at", type=int)
    parser.add_argument("--stall-for", type=float, default=0)
    parser.add_argument("--exit", type=int, default=0)
    parser.add_argument("--failures", type=int, default=0)
    parser.add_argument("--late", action="store_true")
    parser.add_argument("--work", type=float, default=0)
    parser.add_argument("--linger", type=float)
    parser.add_argument("--complete", action="store_true")
    parser.add_argument("--restart-proxy", action="store_true")
    parser.add_argument("--after-kill", action="store_true")
    parser.add_argument("--signal", default="KILL")
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--after-end", action="store_true")
    parser.add_argument("--attempts", type=int, default=0)
    parser.add_argument("--for", type=float, default=0, dest="seconds")
    parser.add_argument("--before", type=float, default=0)
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--ready", action="store_true")
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--quit", action="store_true")
    options = parser.parse_args()
    fails = bool(options.failures) and failed_before(options.failures)
    if fails and not options.late:
        say(failed=True)
        return _FAILURE
    if options.linger is not None:
        linger(options.linger)
    if options.after_kill:
        wait_killed()
    if options.at_once and not is_ready():
        say(ready=False)
        return _NOT_READY
    if options.ready or options.what in ("upload", "request", "wait", "probe", "kill-all", "helper"):
        wait_ready()
    # Before the upload, for what another container does meanwhile.
    time.sleep(options.before)
    if options.restart_proxy:
        quit_proxy()
        wait_ready()
    if options.what == "sidecar":
        wait_term()
    if options.what == "upload" or (options.what == "sidecar" and options.bytes):
        upload(options)
    if options.what == "request":
        request(options.requests)
    if options.quit:
        quit_proxy()
    if options.what == "probe":
        probe()
    if options.what == "kill-all":
        kill_all(options.delay)
    if options.what == "freeze":
        signal_agent(signal.SIGSTOP)
    if options.what == "thaw":
        time.sleep(options.delay)
        signal_agent(signal.SIGCONT)
    if options.stay:
        wait_term()
    if options.what == "meter":
        meter(options.seconds)
    if options.what == "helper":
        wait_gone()
    if options.what == "kill":
        number = signal.Signals[f"SIG{options.signal}"]
        kill(number, delay=options.delay, after_end=options.after_end, attempts=options.attempts)
    # Work after the upload, for pods that are deleted while their task still runs.
    time.sleep(options.work)
    if options.complete:
        complete()
    say(ended=time.time(), failed=fails)
    return _FAILURE if fails else int(options.exit)


if __name__ == "__main__":
    sys.exit(main())
