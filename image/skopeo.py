"""Registries, spoken to by skopeo; what it says when something fails becomes one line that says what to do."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .arguments import Registry
from .fault import Fault
from .reference import Reference

_MANY = 300


@dataclass(frozen=True)
class Kind:
    """A way to fail: how skopeo tells it, what it means, and whether it may be over soon."""

    name: str
    pattern: str
    advice: str
    passing: bool = False


# In the order in which they are looked for, the narrow ones first: what is said about a connection comes with what was asked.
_KINDS = [
    Kind(
        "plain",
        r"server gave HTTP response to HTTPS client",
        "the registry speaks plain HTTP: say --insecure, if that is meant",
    ),
    Kind(
        "certificate",
        r"x509:|certificate|tls: ",
        "the registry's certificate is not trusted: give the authority's certificate with --ca FILE, or say --insecure",
    ),
    Kind(
        "unauthorised",
        r"unauthorized|authentication required|denied|forbidden|status:? 40[13]|invalid username/password",
        "the registry does not allow it: log in by `skopeo login REGISTRY`, or give credentials with --auth-file FILE",
    ),
    Kind(
        "absent",
        r"manifest unknown|manifest_unknown|name unknown|name_unknown|repository name not known|not found|status:? 404",
        "the registry has nothing under that name: look at name, tag and digest; some want a repository to be made before a push",
    ),
    Kind(
        "name",
        r"no such host|server misbehaving|name resolution",
        "the registry's name cannot be resolved: look at its spelling and at DNS",
    ),
    Kind(
        "refused",
        r"connection refused|network is unreachable|no route to host",
        "nobody answers there: is the registry running, and is the port right?",
        passing=True,
    ),
    Kind(
        "slow",
        r"i/o timeout|deadline exceeded|handshake timeout",
        "the registry did not answer in time: say a longer --timeout",
        passing=True,
    ),
    Kind(
        "broken",
        r"connection reset|broken pipe|\beof\b|status:? (429|5\d\d)|server error|bad gateway|unavailable|too many requests",
        "the registry is in trouble: try again later, or look at its log",
        passing=True,
    ),
    Kind("full", r"no space left on device", "the disk is full: make room"),
]
_OTHER = Kind("other", "", "skopeo failed")
_SLOW = next(kind for kind in _KINDS if kind.name == "slow")


class Refusal(Fault):
    """A call to a registry that failed, and in which way."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


class Skopeo:
    """Calls to registries, each bounded in time, and tried again where that can help."""

    def __init__(self, registry: Registry) -> None:
        if shutil.which("skopeo") is None:
            raise Fault("skopeo is missing: as root, apt-get install skopeo")
        self._registry = registry

    def manifest(self, image: Reference) -> bytes:
        """The manifest or index, as the registry has it."""
        return self._call(f"{image} cannot be read", ["inspect", "--raw"], "", f"docker://{image}")

    def find_manifest(self, image: Reference) -> bytes | None:
        """The same, or nothing where there is no such image, of which some registries say that it may not be read."""
        try:
            return self.manifest(image)
        except Refusal as refusal:
            if refusal.kind in ("absent", "unauthorised"):
                return None
            raise

    def download(self, image: Reference, folder: Path) -> None:
        """Everything that an image consists of, each blob as a file that is called by its digest's digits."""
        self._call(
            f"{image} cannot be pulled", ["copy", "--quiet", "--preserve-digests"], "src-", f"docker://{image}", f"dir:{folder}"
        )

    def upload(self, layout: Path, tag: str, image: Reference) -> None:
        """An image from a layout, byte for byte, with all of its platforms."""
        words = ["copy", "--quiet", "--preserve-digests", "--all"]
        self._call(f"{image} cannot be pushed", words, "dest-", f"oci:{layout}:{tag}", f"docker://{image}")

    def _call(self, task: str, words: list[str], side: str, *operands: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="exeunt-image-") as folder:
            # No policy of this machine's about whose images may be run: none is run.
            argv = ["skopeo", "--insecure-policy", *words, *self._access(side, Path(folder)), *operands]
            number = 0
            while True:
                number += 1
                kind, said, output = self._run(argv)
                if kind is None:
                    return output
                if not kind.passing or number == self._registry.tries:
                    times = f" (tried {number} times)" if number > 1 else ""
                    raise Refusal(f"{task}: {kind.advice}{times} ({said})", kind.name)
                # One second, then two, then four: a registry that restarts is back, and nobody waits for long.
                time.sleep(2 ** (number - 1))

    def _run(self, argv: Sequence[str]) -> tuple[Kind | None, str, bytes]:
        try:
            run = subprocess.run(argv, capture_output=True, check=False, timeout=self._registry.timeout, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return _SLOW, f"no end of it after {self._registry.timeout} s", b""
        said = _last_words(run.stderr.decode(errors="replace"))
        return (None if run.returncode == 0 else kind_of(said)), said, run.stdout

    def _access(self, side: str, folder: Path) -> list[str]:
        words = [f"--{side}tls-verify=false"] if self._registry.insecure else []
        if self._registry.ca is not None:
            (folder / "ca.crt").write_bytes(self._registry.ca.read_bytes())
            words += [f"--{side}cert-dir", str(folder)]
        if self._registry.auth_file is not None:
            words += ["--authfile", str(self._registry.auth_file)]
        return words


def kind_of(said: str) -> Kind:
    """What skopeo's words mean."""
    return next((kind for kind in _KINDS if re.search(kind.pattern, said, re.IGNORECASE)), _OTHER)


def _last_words(said: str) -> str:
    """What skopeo says, without its own log's form: `time="…" level=fatal msg="…"`."""
    line = (said.strip().splitlines() or ["no reason given"])[-1]
    message = re.search(r'msg="((?:[^"\\]|\\.)*)"', line)
    text = message[1].replace('\\"', '"') if message else line
    # The name that skopeo itself was given is in our line already.
    text = re.sub(r'^Error parsing image name "[^"]*": ', "", text)
    return text if len(text) <= _MANY else f"{text[:_MANY]} …"
