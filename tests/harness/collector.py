"""A collector of telemetry, and the loggers and tracers that send to it."""

from pathlib import Path

from .child import Child
from .network import HOST, Address, Network
from .paths import PROGRAMS, PYTHON


class Collector(Child):
    """A server process. `programs/collector.py` explains what it takes."""

    def __init__(
        self, folder: Path, *, name: str, silent: bool = False, network: Network = HOST, host: str = "127.0.0.1"
    ) -> None:
        """Starts it; a silent one answers nothing."""
        argv: list[str | Path] = [*PYTHON, PROGRAMS / "collector.py", "--listen", host, *(["--silent"] if silent else [])]
        super().__init__(argv, folder / f"collector-{name}.log", network=network, container=name)
        self.address: Address = (host, self.report("listening")["port"])

    def paths(self) -> list[str]:
        """The paths of the requests that it was told of, in the order of arrival; each once."""
        told = [path for report in self.reports if report["event"] == "telemetry" for path in report["paths"]]
        return list(dict.fromkeys(told))
