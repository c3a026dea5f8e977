"""podman with runc, with a configuration and a storage of its own: what else it runs on this machine is never touched."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.paths import Missing

# podman, and the runtime and the monitor that it calls.
_TOOLS = ("podman", "runc", "conmon")
# cgroupfs: nobody here need have systemd. runc: crun refuses where cgroup v1 and v2 are mounted side by side. The limits are low
# enough for any machine; podman's own may be above the hard ones.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
log_driver = "none"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "none"
"""
# vfs: overlay does not lie upon overlay, and the only image is the pause process.
_STORAGE_CONF = """\
[storage]
driver = "vfs"
runroot = "{folder}/run"
graphroot = "{folder}/graph"
"""
# podman's calls take a tenth of a second; a machine that is busy compiling takes longer.
_TIMEOUT_S = 60


class Podman:
    """The command, as it is called here. Deletes all that it has stored at the end of its `with` block."""

    def __init__(self) -> None:
        """Finds out whether it can run a pod at all, or raises `Missing` with the reason."""
        why_not = _unavailable()
        if why_not:
            raise Missing(why_not)
        # Short: the sockets of conmon lie below, and a socket's path has 107 bytes (unix(7)).
        self._folder = Path(tempfile.mkdtemp(prefix="exeunt-podman-"))
        (self._folder / "containers.conf").write_text(_CONTAINERS_CONF)
        (self._folder / "storage.conf").write_text(_STORAGE_CONF.format(folder=self._folder))
        self._environment = {
            "CONTAINERS_CONF": str(self._folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self._folder / "storage.conf"),
        }
        try:
            self._try_a_pod()
        except Missing:
            self.close()
            raise

    def _try_a_pod(self) -> None:
        pod = self("pod", "create", "--share", "net,ipc,pid", "--network", "none")
        self("pod", "start", pod)
        self("pod", "rm", "--force", "--time", "0", pod)

    def command(self, *words: str) -> list[str]:
        """The words that call it, for a process of ours."""
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        return ["env", *variables, "podman", "--tmpdir", str(self._folder / "tmp"), *words]

    def __call__(self, *words: str) -> str:
        """Calls it; what it prints, or `Missing` with what it says where it fails."""
        try:
            run = subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Missing(f"podman {words[0]} did not come to an end within {_TIMEOUT_S} s") from None
        if run.returncode != 0:
            raise Missing(f"podman {' '.join(words[:2])}: {run.stderr.strip()}")
        return run.stdout.strip()

    def close(self) -> None:
        """Deletes its pods, of which a test that was interrupted may have left some, and its storage."""
        with contextlib.suppress(Missing):
            self("pod", "rm", "--all", "--force", "--time", "0")
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _unavailable() -> str:
    if os.geteuid() != 0:
        return "real containers need root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)} (Debian: podman, runc, conmon)" if missing else ""
