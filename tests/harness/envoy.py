"""A real Envoy, run as pilot-agent runs it."""

import contextlib
import re
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from .child import Child, Ending
from .client import Answer, ask
from .network import HOST, Network
from .paths import PROGRAMS, PYTHON, Missing
from .release import NEWEST
from .sidecar import Sidecar
from .wait import TooLate, until

# Envoy is ready in well under a second; a machine that is busy compiling takes longer.
_READY_WITHIN_S = 30.0


# The name the injector gives it.
_CONTAINER = "istio-proxy"


class Envoy:
    """One Envoy with one sidecar configuration, gone at the end of its `with` block.

    With `pilot_agent` it is a child of the stand-in, as in a pod; else a child of ours. `pid` is Envoy's own in both.
    """

    def __init__(
        self,
        sidecar: Sidecar,
        executable: Path,
        folder: Path,
        *,
        wasm: Path,
        network: Network = HOST,
        uid: int | None = None,
        pilot_agent: bool = False,
    ) -> None:
        """Starts it; `ready` waits until it serves."""
        self.sidecar = sidecar
        self.places = sidecar.places
        self.network = network
        self.log = folder / "envoy.log"
        self.access_log = folder / "access.log"
        self._bootstrap = folder / "envoy.json"
        self._wasm = wasm
        self.reconfigure()
        argv = command(executable, self._bootstrap)
        self.pilot_agent: Child | None = None
        if pilot_agent:
            parent = [*PYTHON, str(PROGRAMS / "pilot_agent.py"), "--port", str(self.places.pilot_agent[1])]
            parent += ["--admin", str(self.places.admin[1]), "--", *argv]
            if uid is not None:
                # The interpreter may lie where that user cannot go: it changes the user itself.
                parent[parent.index("--") : parent.index("--")] = ["--uid", str(uid)]
            self._child = self.pilot_agent = Child(parent, self.log, network=network, container=_CONTAINER)
            self.pilot_agent.report("started")
            self.ending = Ending(only_child(self.pilot_agent.pid))
        else:
            self._child = Child(argv, self.log, network=network, container=_CONTAINER, uid=uid, reports=False)
            self.ending = self._child.ending
        self.pid = self.ending.pid

    def reconfigure(self, wasm: Path | None = None) -> None:
        """Writes its configuration; a plugin that is discovered, or another module, is taken up while Envoy runs."""
        self._wasm = wasm or self._wasm
        self.sidecar.write(self._bootstrap, wasm=self._wasm, access_log=self.access_log)

    def ready(self) -> Self:
        """Waits until its own admin server says LIVE."""

        def live() -> bool:
            if not self.running:
                raise TooLate("Envoy ended before it was ready")
            try:
                info = self.admin("/server_info").json()
            except (OSError, ValueError):
                return False
            # Another one may listen where this one is about to fail to.
            ours = info["command_line_options"]["config_path"] == str(self._bootstrap)
            return bool(ours and info["state"] == "LIVE")

        try:
            until("Envoy is ready", live, _READY_WITHIN_S)
        except TooLate as late:
            if self.logged("compiled without support"):
                raise Missing(f"this build of Envoy cannot run Wasm plugins: take another version, such as {NEWEST}") from None
            raise TooLate(f"{late}; {self._child.describe()}") from None
        return self

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.ending.at is None

    def gone(self, within: float) -> float:
        """The time of its end; waits for it."""
        try:
            return self.ending.wait(within)
        except TooLate as late:
            raise TooLate(f"{late}; {self._child.describe()}") from None

    def admin(self, path: str, method: str = "GET", timeout: float = 5.0) -> Answer:
        """Asks the admin server."""
        return ask(self.places.admin, method, path, network=self.network, timeout=timeout)

    def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match the regular expression `pattern`."""
        lines = self.admin("/stats").body.decode().splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines if re.search(pattern, line))
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def plugin_version(self) -> str:
        """The version of the plugin's discovered configuration that is in use."""
        dumps = self.admin("/config_dump").json()["configs"]
        (filters,) = (dump["ecds_filters"] for dump in dumps if "ecds_filters" in dump)
        return str(filters[0]["version_info"])

    def logged(self, pattern: str) -> list[str]:
        """The lines of the log so far that match the regular expression `pattern`."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if re.search(pattern, line)]

    def describe(self) -> str:
        """The last lines of the log, for a failure."""
        return self._child.describe()

    def stop(self) -> None:
        """Kills what is still there: Envoy first, which the stand-in would otherwise leave behind."""
        self.ending.send(signal.SIGKILL)
        if self.pilot_agent is not None:
            # It reaps Envoy and ends by itself; killed too early, it would leave a zombie behind.
            with contextlib.suppress(TooLate):
                self.pilot_agent.ending.wait(5)
        self._child.stop()
        if self.pilot_agent is not None:
            self.ending.wait(10)
            self.ending.close()

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def command(executable: Path, bootstrap: Path) -> list[str]:
    """As pilot-agent starts it (istio pkg/envoy/proxy.go), but for the level of the log."""
    argv = [str(executable), "--config-path", str(bootstrap), "--concurrency", "2", "--disable-hot-restart"]
    argv += ["--drain-time-s", "45", "--drain-strategy", "immediate", "--local-address-ip-version", "v4"]
    return [*argv, "--file-flush-interval-msec", "1000", "--allow-unknown-static-fields", "--log-level", "info"]


def only_child(pid: int) -> int:
    """The process id of Envoy as this machine sees it; its parent may live in a PID namespace and know it by another."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while the folder is read.
        with contextlib.suppress(OSError):
            # The fields after the name, which is in parentheses and may hold anything: state, parent.
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[1]) == pid:
                return int(stat.parent.name)
    raise TooLate(f"process {pid} has no child")
