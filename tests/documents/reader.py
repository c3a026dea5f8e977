"""A reader who types the commands of a page: in a checkout, with a registry and a cluster."""

import os
import re
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from chart.programs import ROOT, TOOLS
from documents.pages import Block
from documents.pod import POD
from harness.registry import Authority, Registry

# A page's commands; a cold build of the agent is the longest of them.
_WITHIN_S = 900
_MARK = "@@ documents"


@dataclass(frozen=True)
class Typed:
    """What came of a page's commands."""

    code: int
    # By block, in the order in which they were run.
    out: dict[Block, str]
    # Of the block that was run last.
    err: str


class Reader:
    """Types a page's commands into one bash, and replaces the names that stand for a reader's own."""

    def __init__(self, folder: Path, registry: Registry, authority: Authority, kubeconfig: Path) -> None:
        self.checkout = folder / "exeunt"
        self._registry = registry
        self._digests: dict[str, str] = {}
        self._place = ""
        self._server = re.search(r"http://[\d.:]+", kubeconfig.read_text())
        programs = folder / "bin"
        programs.mkdir()
        for name in ("helm", "kubectl", "kustomize"):
            (programs / name).symlink_to(TOOLS / name)
        home = folder / "home"
        home.mkdir()
        real = Path.home()
        self._environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            # No credentials and no settings of the user's.
            "HOME": str(home),
            "CARGO_HOME": os.environ.get("CARGO_HOME", str(real / ".cargo")),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(real / ".rustup")),
            # The registry's certificate is trusted, as a reader's own registry's is.
            "SSL_CERT_FILE": str(_trusted(folder, authority)),
        }
        self._check_out()

    def _check_out(self) -> None:
        shutil.copytree(ROOT, self.checkout, ignore=shutil.ignore_patterns(".git", ".cache", "target", "__pycache__"))
        # The real one, which has everything built and downloaded already.
        build = self.checkout / "build.sh"
        build.write_text(f'#!/bin/sh\nexec {ROOT}/build.sh "$@"\n')
        build.chmod(0o755)
        (self.checkout / "target").symlink_to(ROOT / "target")

    def push_a_release(self) -> None:
        """Puts the images where the documents expect a release's, and remembers their digests."""
        prefix = f"{self._registry.name}/exeunt-dev"
        said = self._bash(f"./build.sh image --output ../released --push {prefix}")
        assert said.returncode == 0, said.stderr
        for name, digest in re.findall(r"/(exeunt(?:-agent)?)@(sha256:[0-9a-f]{64})", said.stdout):
            self._digests[name] = digest

    def type(self, blocks: list[Block], before: str = "") -> Typed:
        """Runs the blocks of a page that are to be run, in their order, until one fails."""
        # A place in the registry for each page: what one has pushed is not there already for another.
        self._place = f"{self._registry.name}/{blocks[0].page.stem.lower()}"
        run = [block for block in blocks if block.is_run]
        for block in blocks:
            if name := block.value("file"):
                path = self.checkout / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._own(block.text))
        lines = ["set -euo pipefail", before]
        for number, block in enumerate(run):
            if block.comment == "run in a new cluster":
                assert self._server is not None
                lines.append(f"curl -sS {self._server[0]}/empty")
            lines += [f"echo '{_MARK} {number}' | tee /dev/stderr", self._own(block.text)]
        said = self._bash("\n".join(lines))
        outs = said.stdout.split(_MARK)[1:]
        errs = said.stderr.split(_MARK)
        return Typed(
            said.returncode,
            {run[number]: out.partition("\n")[2] for number, out in enumerate(outs)},
            errs[-1].partition("\n")[2] if len(errs) > 1 else said.stderr,
        )

    def _own(self, text: str) -> str:
        """The text with the reader's own names for the documents'."""
        name = self._registry.name
        for theirs, ours in (
            ("registry.example.com", self._place),
            ("docker://ghcr.io/", f"docker://{name}/"),
            ("--verify oci://ghcr.io/", f"--verify oci://{name}/"),
        ):
            text = text.replace(theirs, ours)
        text = re.sub(r"\bNAMESPACE\b", "jobs", text)
        text = re.sub(r"(?<![$\w])POD\b(?!=)", POD, text)
        plugin, agent = self._digests["exeunt"], self._digests["exeunt-agent"]
        text = re.sub(r"(exeunt-agent@|agent\.image\.digest=)sha256:…", rf"\1{agent}", text)
        text = re.sub(r"(exeunt@|plugin\.image\.digest=)sha256:…", rf"\1{plugin}", text)
        # In a kustomization only the agent's image has a field for the digest.
        return text.replace("digest: sha256:…", f"digest: {agent}")

    def _bash(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", text],
            cwd=self.checkout,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_WITHIN_S,
        )


def _trusted(folder: Path, authority: Authority) -> Path:
    """The certificates of this machine and the registry's, in one file."""
    system = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    bundle = folder / "trusted.crt"
    bundle.write_text(Path(system).read_text() + authority.certificate.read_text())
    return bundle
