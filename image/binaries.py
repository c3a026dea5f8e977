"""Reads the files that go into images, and checks that each is what it must be."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# A program's platform by the machine in its ELF header (elf(5)).
MACHINES = {62: "linux/amd64", 183: "linux/arm64"}
PLATFORMS = tuple(MACHINES.values())

_WASM_MODULE = b"\0asm\x01\0\0\0"
_PT_INTERP = 3


class Unfit(Exception):
    """A file that must not go into an image; the text says why."""


@dataclass(frozen=True)
class Binary:
    """A file with its platform, and what build.sh recorded about its build."""

    platform: str
    data: bytes
    built: dict[str, Any] = field(default_factory=dict)


def read_plugin(path: Path) -> Binary:
    """The filter. It must be a WebAssembly module; Envoy cannot load a component."""
    data = _read(path)
    if not data.startswith(_WASM_MODULE):
        raise Unfit("is no WebAssembly module: must be the file that ./build.sh wasm makes")
    return Binary("wasm32", data, _built(path))


def read_program(path: Path, platform: str, verb: str) -> Binary:
    """The agent or the command. It must be an ELF executable for the platform that needs no shared library."""
    data = _read(path)
    # 64 bits and little-endian, as both platforms are.
    if len(data) < 64 or data[:6] != b"\x7fELF\x02\x01":
        raise Unfit(f"is no ELF executable: must be the file that ./build.sh {verb} makes")
    machine = struct.unpack_from("<H", data, 18)[0]
    if MACHINES.get(machine) != platform:
        raise Unfit(f"is built for {MACHINES.get(machine, f'machine {machine}')}: must be for {platform}")
    if _PT_INTERP in _segments(data):
        raise Unfit("needs shared libraries: must be linked statically, because its image contains nothing else")
    return Binary(platform, data, _built(path))


def _segments(data: bytes) -> list[int]:
    start = struct.unpack_from("<Q", data, 32)[0]
    size, count = struct.unpack_from("<HH", data, 54)
    if start + size * count > len(data):
        raise Unfit("is cut off: its ELF header names segments after its end")
    return [struct.unpack_from("<I", data, start + size * number)[0] for number in range(count)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unfit(f"cannot be read ({error.strerror})") from error


def _built(path: Path) -> dict[str, Any]:
    """The contents of FILE.json, which names the compiler and the libraries that FILE was built with."""
    try:
        built = json.loads(Path(f"{path}.json").read_text())
    except (OSError, ValueError):
        return {}
    return built if isinstance(built, dict) else {}
