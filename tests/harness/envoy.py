"""A real Envoy, run as pilot-agent runs it."""

import contextlib
import re
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from .child import Child
from .client import Answer, ask
from .ending import Ending
from .network import HOST, Network
from .paths import PROGRAMS, PYTHON, Missing
from .process import parents
from .release import NEWEST
from .sidecar import Sidecar
from .wait import TooLate, until

# Envoy is ready in well under a second; a machine that is busy compiling takes longer.
_READY_WITHIN_S = 30.0
# The name that Istio's injector gives to the container.
_CONTAINER = "istio-proxy"


class Envoy:
    """One Envoy with one sidecar configuration; it is killed at the end of its `with` block.

    With `pilot_agent` it is a child of the stand-in for pilot-agent, as in a pod; otherwise it is a direct child. In both cases
    `pid` is Envoy's own process id.
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
        """Starts Envoy; `ready` waits until it serves."""
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
                # The program changes the user itself, because that user may have no access to the interpreter's folder.
                parent[parent.index("--") : parent.index("--")] = ["--uid", str(uid)]
            self._child = self.pilot_agent = Child(parent, self.log, network=network, container=_CONTAINER)
            self.pilot_agent.report("started")
            self.ending = Ending(only_child(self.pilot_agent.pid), self.describe)
        else:
            self._child = Child(argv, self.log, network=network, container=_CONTAINER, uid=uid, reports=False)
            self.ending = self._child.ending
        self.pid = self.ending.pid

    def reconfigure(self, wasm: Path | None = None) -> None:
        """Writes the configuration. A running Envoy applies a discovered plugin, and another module, at once."""
        self._wasm = wasm or self._wasm
        self.sidecar.write(self._bootstrap, wasm=self._wasm, access_log=self.access_log)

    def ready(self) -> Self:
        """Waits until Envoy's admin interface reports LIVE."""

        def live() -> bool:
            if not self.running:
                raise TooLate("Envoy ended before it was ready")
            try:
                info = self.admin("/server_info").json()
            except (OSError, ValueError):
                return False
            # Another Envoy may already listen on the port, so that this one is about to fail.
            ours = info["command_line_options"]["config_path"] == str(self._bootstrap)
            return bool(ours and info["state"] == "LIVE")

        try:
            until("Envoy is ready", live, _READY_WITHIN_S)
        except TooLate as error:
            if self.logged("compiled without support"):
                raise Missing(f"this build of Envoy cannot run Wasm plugins: take another version, such as {NEWEST}") from None
            raise TooLate(f"{error}; {self.describe()}") from None
        return self

    @property
    def running(self) -> bool:
        """Whether Envoy has not ended."""
        return self.ending.at is None

    def gone(self, within: float) -> float:
        """Waits for the end of Envoy and returns its time."""
        return self.ending.wait(within)

    def admin(self, path: str, method: str = "GET", timeout: float = 5.0) -> Answer:
        """Sends a request to the admin interface."""
        return ask(self.places.admin, method, path, network=self.network, timeout=timeout)

    def stats(self, pattern: str) -> dict[str, int]:
        """The counters and gauges whose names match the regular expression `pattern`."""
        lines = self.admin("/stats").body.decode().splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines if re.search(pattern, line))
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def plugin_version(self) -> str:
        """The version of the plugin's discovered configuration that Envoy uses."""
        dumps = self.admin("/config_dump").json()["configs"]
        (filters,) = (dump["ecds_filters"] for dump in dumps if "ecds_filters" in dump)
        return str(filters[0]["version_info"])

    def logged(self, pattern: str) -> list[str]:
        """The lines of the log that match the regular expression `pattern`."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if re.search(pattern, line)]

    def describe(self) -> str:
        """For a failure: the state of the process and the last lines of its log."""
        return self._child.describe()

    def stop(self) -> None:
        """Kills what still runs. Envoy comes first, because the stand-in for pilot-agent would leave it running."""
        self.ending.send(signal.SIGKILL)
        if self.pilot_agent is not None:
            # The stand-in reaps Envoy and ends by itself. If it is killed before, Envoy stays as a zombie.
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
    """The command line of pilot-agent (istio pkg/envoy/proxy.go), except for the log level."""
    argv = [str(executable), "--config-path", str(bootstrap), "--concurrency", "2", "--disable-hot-restart"]
    argv += ["--drain-time-s", "45", "--drain-strategy", "immediate", "--local-address-ip-version", "v4"]
    return [*argv, "--file-flush-interval-msec", "1000", "--allow-unknown-static-fields", "--log-level", "info"]


def only_child(pid: int) -> int:
    """The process id of the child, in this machine's PID namespace; the parent may be in another one and know another number."""
    for child, parent in parents().items():
        if parent == pid:
            return child
    raise TooLate(f"process {pid} has no child")
