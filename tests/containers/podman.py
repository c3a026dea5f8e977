"""Podman with runc, with its own configuration and storage, so that it never touches other containers on this machine."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.closing import Closing
from harness.paths import Missing

# Podman, and the runtime and the monitor that it calls.
_TOOLS = ("podman", "runc", "conmon")
# cgroupfs: the machine may have no systemd. runc: crun refuses to run where cgroup v1 and v2 are both mounted. The limits are low
# enough for any machine; podman's defaults may be above the hard limits.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
log_driver = "none"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "none"
"""
# vfs: an overlay cannot be mounted on an overlay, and the only image is that of the pause process.
_STORAGE_CONF = """\
[storage]
driver = "vfs"
runroot = "{folder}/run"
graphroot = "{folder}/graph"
"""
# A call of podman takes 0.1 s; a machine that is busy compiling takes longer.
_TIMEOUT_S = 60


class Podman(Closing):
    """The podman command. At the end of its `with` block it deletes everything that it has stored."""

    def __init__(self) -> None:
        """Tries to run a pod, and raises `Missing` with the reason if that fails."""
        why_not = _unavailable()
        if why_not:
            raise Missing(why_not)
        # A short path: conmon's sockets are below it, and the path of a socket has at most 107 bytes (unix(7)).
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
        """The command line of a call, for a process that the caller starts."""
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        return ["env", *variables, "podman", "--tmpdir", str(self._folder / "tmp"), *words]

    def __call__(self, *words: str) -> str:
        """Calls podman and returns its stdout; raises `Missing` with its stderr if it fails."""
        try:
            run = subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Missing(f"podman {words[0]} did not end within {_TIMEOUT_S} s") from None
        if run.returncode != 0:
            raise Missing(f"podman {' '.join(words[:2])}: {run.stderr.strip()}")
        return run.stdout.strip()

    def close(self) -> None:
        """Deletes the storage and the pods; an interrupted test may have left some."""
        with contextlib.suppress(Missing):
            self("pod", "rm", "--all", "--force", "--time", "0")
        shutil.rmtree(self._folder, ignore_errors=True)


def _unavailable() -> str:
    if os.geteuid() != 0:
        return "real containers need root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)} (Debian: podman, runc, conmon)" if missing else ""
