"""Many sidecar proxies without pods: bench/proxies connects them to istiod, and counts what istiod sends."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Json = dict[str, Any]

_PROGRAM = Path(__file__).resolve().parents[1] / ".cache" / "tools" / "bench" / "proxies"


@dataclass(frozen=True)
class Group:
    """Proxies of one kind."""

    name: str
    namespace: str
    proxies: int
    # For the plugin: the label and the signal listener, the label alone, or nothing.
    has: Literal["listener", "label", "none"]


@dataclass(frozen=True)
class Sent:
    """What istiod has sent so far: pushes, bytes and resources, by group and type of resource."""

    counts: dict[str, dict[str, dict[str, int]]]

    def __sub__(self, earlier: "Sent") -> "Sent":
        """What it has sent since."""
        counts: dict[str, dict[str, dict[str, int]]] = {}
        for group, types in self.counts.items():
            for kind, sent in types.items():
                old = earlier.counts.get(group, {}).get(kind, {})
                counts.setdefault(group, {})[kind] = {name: value - old.get(name, 0) for name, value in sent.items()}
        return Sent(counts)

    def each(self, group: Group) -> Json:
        """What each proxy of a group was sent, in all and by type."""
        types = {
            kind: {name: value / group.proxies for name, value in sent.items()}
            for kind, sent in sorted(self.counts.get(group.name, {}).items())
            if sent["pushes"]
        }
        return {name: sum(sent[name] for sent in types.values()) for name in ("pushes", "bytes")} | {"types": types}


class Fleet:
    """The proxies, all of them connected. A `with` block ends them."""

    def __init__(self, address: str, release: str, groups: list[Group]) -> None:
        self.groups = groups
        words = [f"{group.name}:{group.namespace}:{group.has}:{group.proxies}" for group in groups]
        # Its own clients are many: they must not take the processor from istiod, which is measured.
        command = ["nice", "-n", "10", _PROGRAM, "--address", address, "--istio", release, *words]
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self._program.kill()
        self._program.wait()

    def sent(self) -> Sent:
        """What istiod has sent so far."""
        return Sent(self._ask()["sent"])

    def settled(self, silence_s: float, within_s: float) -> Sent:
        """Waits until istiod has sent nothing for a while; what it has sent so far."""
        deadline = time.monotonic() + within_s
        while True:
            said = self._ask()
            if said["silence"] >= silence_s:
                return Sent(said["sent"])
            if time.monotonic() > deadline:
                raise TimeoutError(f"istiod still sends after {within_s:.0f} s: does somebody else change the mesh?")
            time.sleep(0.2)

    def _ask(self) -> Json:
        assert self._program.stdin is not None
        self._program.stdin.write("\n")
        self._program.stdin.flush()
        return self._read()

    def _read(self) -> Json:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        if not line:
            raise OSError(f"the proxies have ended (exit code {self._program.wait()})")
        said: Json = json.loads(line)
        return said
