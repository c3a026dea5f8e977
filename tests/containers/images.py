"""The root file systems and the files of the containers, and the command lines of their programs."""

import sys
from collections.abc import Sequence
from pathlib import Path

from containers.spec import Mount
from harness import paths
from harness.network import Address
from harness.paths import PROGRAMS

# Where the containers find the files of the test.
AGENT = "/exeunt-agent"
ENVOY = "/opt/envoy"
_PROGRAMS = "/opt/programs"
# The interpreter itself and not the link in a virtual environment, because its library is beside it.
_PYTHON = [str(Path(sys.executable).resolve()), "-I", "-S"]


def root(folder: Path) -> Path:
    """The root of an image that uses this machine's /usr; made once in `folder`."""
    made = folder / "image"
    if not made.exists():
        made.mkdir()
        # The same links as on this machine, whose /usr is mounted into the containers.
        for name in ("bin", "sbin", "lib", "lib64"):
            if (link := Path("/", name)).is_symlink():
                (made / name).symlink_to(link.readlink())
    return made


def files() -> list[Mount]:
    """The mounts of a container with that root."""
    mounts = [Mount(Path("/usr"), "/usr"), Mount(PROGRAMS, _PROGRAMS), Mount(paths.agent(), AGENT)]
    base = Path(sys.base_prefix).resolve()
    if not base.is_relative_to("/usr"):
        mounts.append(Mount(base, str(base)))
    return mounts


def program(name: str, *words: str) -> list[str]:
    """The command line of a program in harness/programs."""
    return [*_PYTHON, f"{_PROGRAMS}/{name}.py", *words]


def task(what: str, *, to: Address | None = None, size: int = 0) -> list[str]:
    """The command line of the task: it waits for the line `go`, does its work, and exits."""
    target = [] if to is None else ["--to", f"{to[0]}:{to[1]}", "--bytes", str(size)]
    return program("task", what, *target)


def is_task(command: Sequence[str]) -> bool:
    """Whether the command runs the task or another program that reports on stdout."""
    return any(word.endswith(("task.py", "pry.py")) for word in command)


def idle_then_post(port: int, path: str) -> list[str]:
    """The command line of a script that idles, then posts to a port on loopback: some scripts end their proxy so."""
    post = f"import http.client as h; c = h.HTTPConnection('127.0.0.1', {port}, timeout=5); c.request('POST', '{path}')"
    script = f'"$@"; {" ".join(_PYTHON)} -c "{post}; c.getresponse()"; exit 0'
    return ["/bin/sh", "-c", script, "task", *task("idle")]


def before_script(script: str, command: Sequence[str]) -> list[str]:
    """The command line of a shell that runs the command, then `script`, and exits with the code of the command."""
    return ["/bin/sh", "-c", f'"$@"; code=$?; {script}; exit $code', "task", *command]


def after_script(script: str, command: Sequence[str]) -> list[str]:
    """The command line of a shell that runs `script`, then the command."""
    return ["/bin/sh", "-c", f'{script}; exec "$@"', "task", *command]
