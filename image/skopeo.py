"""Registries, spoken to by skopeo. A failure becomes one line that says what to do."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .arguments import Registry
from .fault import Fault
from .reference import Reference
from .trouble import ABSENT, SLOW, UNAUTHORISED, Kind, Refusal, kind_of, pause, refusal

# Of a longer message, the first characters are shown.
_MESSAGE = 300


def require_skopeo() -> None:
    """Raises a `Fault` if the program is not there."""
    if shutil.which("skopeo") is None:
        raise Fault("skopeo is missing: as root, apt-get install skopeo")


class Skopeo:
    """Calls to registries. Each has a time limit, and is tried again if that can help."""

    def __init__(self, registry: Registry) -> None:
        require_skopeo()
        self._registry = registry

    def manifest(self, image: Reference) -> bytes:
        """The manifest or index, as the registry has it."""
        return self._call(f"{image} cannot be read", ["inspect", "--raw"], "", f"docker://{image}")

    def find_manifest(self, image: Reference) -> bytes | None:
        """The same, or None if there is no such image; some registries then answer that it may not be read."""
        try:
            return self.manifest(image)
        except Refusal as failed:
            if failed.kind in (ABSENT, UNAUTHORISED):
                return None
            raise

    def download(self, image: Reference, folder: Path) -> None:
        """The whole image, each blob as a file whose name is the blob's digest without `sha256:`."""
        self._call(
            f"{image} cannot be pulled", ["copy", "--quiet", "--preserve-digests"], "src-", f"docker://{image}", f"dir:{folder}"
        )

    def upload(self, layout: Path, tag: str, image: Reference) -> None:
        """Pushes an image from a layout, byte for byte, with all of its platforms."""
        words = ["copy", "--quiet", "--preserve-digests", "--all"]
        self._call(f"{image} cannot be pushed", words, "dest-", f"oci:{layout}:{tag}", f"docker://{image}")

    def check_login(self, image: Reference) -> None:
        """Raises a `Refusal` if skopeo has no credentials for the image's registry, or wrong ones.

        `skopeo login` checks the credentials that it has, and changes nothing if they are right. Otherwise it asks for new ones,
        finds no terminal here and fails.
        """
        with tempfile.TemporaryDirectory(prefix="exeunt-image-") as folder:
            argv = ["skopeo", "login", *self._access("", Path(folder)), image.place]
            kind, said, output = self._run(argv)
        # Any other failure is left to the push itself.
        if kind is not None and "reading username" in said:
            is_wrong = b"credentials are invalid" in output
            reason = "the user name or the password is wrong" if is_wrong else "no user name and password are known for it"
            raise refusal(f"the registry {image.registry} cannot be used", UNAUTHORISED, reason, 1)

    def _call(self, task: str, words: list[str], side: str, *operands: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="exeunt-image-") as folder:
            # This machine's policy says whose images may be run; none is run here.
            argv = ["skopeo", "--insecure-policy", *words, *self._access(side, Path(folder)), *operands]
            tries = 0
            while True:
                tries += 1
                kind, said, output = self._run(argv)
                if kind is None:
                    return output
                if not kind.passing or tries == self._registry.tries:
                    raise refusal(task, kind, said, tries)
                time.sleep(pause(tries))

    def _run(self, argv: Sequence[str]) -> tuple[Kind | None, str, bytes]:
        try:
            run = subprocess.run(argv, capture_output=True, check=False, timeout=self._registry.timeout, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return SLOW, f"no end after {self._registry.timeout} s", b""
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


def _last_words(said: str) -> str:
    """What skopeo says, without the form of its log: `time="…" level=fatal msg="…"`."""
    line = (said.strip().splitlines() or ["no reason given"])[-1]
    message = re.search(r'msg="((?:[^"\\]|\\.)*)"', line)
    text = message[1].replace('\\"', '"') if message else line
    # Our own line has the name already.
    text = re.sub(r'^Error parsing image name "[^"]*": ', "", text)
    return text if len(text) <= _MESSAGE else f"{text[:_MESSAGE]} …"
