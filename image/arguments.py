"""The command line: every mistake is named at once, before anything is built."""

import argparse
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .binaries import PLATFORMS
from .fault import Mistakes
from .output import mistake_of
from .project import ROOT
from .reference import BadName, Reference, read_prefix, read_tag, read_url

_DESCRIPTION = """
Makes the two OCI images of exeunt without a Docker daemon, byte for byte the same at every making:

  exeunt        the plugin that Istio pulls: one linux/amd64 manifest, whose one layer has plugin.wasm at its root
  exeunt-agent  the agent that kubelet pulls: one static binary, for linux/amd64 and linux/arm64

into a folder: of each an OCI layout, and for each platform an archive for docker load, the binary, and its bill of
materials (CycloneDX); with SHA256SUMS, and images.json, which has every name and digest. With --push it also puts them
into a registry.
"""

_EPILOG = """
examples:
  ./build.sh image                                            into target/images
  ./build.sh image --push ghcr.io/you --tag 0.1.0-rc1         and into ghcr.io/you/exeunt and ghcr.io/you/exeunt-agent
  ./build.sh image --push 127.0.0.1:5000 --insecure           into a registry without TLS
  ./build.sh image --verify oci://ghcr.io/you/exeunt:0.1.0    would Istio take that image? and if not, why?

environment:
  SOURCE_DATE_EPOCH   the date in the images, in seconds since 1970; else that of the commit
  REGISTRY_AUTH_FILE  as --auth-file; where neither is said, what `skopeo login` or `docker login` has written

exit codes: 0 done, or taken by Istio; 1 failed, or refused by Istio; 64 the command line is wrong; 69 a program is missing
"""

_WITH_VALUE = ("--output", "--plugin", "--agent", "--push", "--tag", "--verify", "--ca", "--auth-file", "--timeout", "--tries")
# What the other architecture's agent is called after, as build.sh names it.
_NATIVE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(platform.machine(), "")


@dataclass
class Registry:
    """How registries are spoken to."""

    insecure: bool = False
    ca: Path | None = None
    auth_file: Path | None = None
    # Seconds for one call; a push of these sizes takes one or two.
    timeout: int = 60
    tries: int = 3


@dataclass
class Options:
    """A command line without mistakes."""

    output: Path
    plugin: Path | None
    # By platform; empty: what build.sh makes.
    agents: dict[str, Path]
    push: str
    tag: str
    verify: list[Reference]
    registry: Registry
    # Only say what has to be there before the work can start.
    needs: bool = False

    @property
    def plugin_file(self) -> Path:
        """The filter."""
        return self.plugin or ROOT / "target" / "exeunt.wasm"

    @property
    def agent_files(self) -> dict[str, Path]:
        """The agents by platform."""
        built = ROOT / "target" / "exeunt-agent"
        files = {name: built if name == _NATIVE else Path(f"{built}-{name.partition('/')[2]}") for name in PLATFORMS}
        return self.agents or {name: path for name, path in files.items() if path.is_file()}

    @property
    def needed(self) -> list[str]:
        """What build.sh has to provide."""
        if self.verify:
            return ["skopeo"]
        wanted = {"plugin": self.plugin is None, "agent": not self.agents, "cargo": True, "skopeo": bool(self.push)}
        return [name for name, needed in wanted.items() if needed]


def read(words: list[str], version: str) -> Options:
    """Reads the command line, or raises all of its `Mistakes`."""
    parser = _parser(version)
    kept, bare = _take_bare(words)
    given, unknown = parser.parse_known_args(kept)
    mistakes = [f"{word} is not a known option or argument: --help lists them" for word in unknown]
    mistakes += [f"{word} needs a value" for word in bare]

    def checked(flag: str, text: str, reads: Any) -> Any:
        try:
            return reads(text)
        except BadName as bad:
            mistakes.append(f"{flag} {text} is not allowed: {bad}")

    output = Path(given.output)
    if not given.verify and (wrong := mistake_of(output)):
        mistakes.append(f"--output {given.output} is not allowed: it {wrong}")
    options = Options(
        output=output,
        plugin=_file(mistakes, "--plugin", given.plugin),
        agents=_agents(mistakes, given.agent),
        push=checked("--push", given.push, read_prefix) if given.push is not None else "",
        tag=checked("--tag", given.tag, read_tag),
        verify=[checked("--verify", url, read_url) for url in given.verify],
        registry=Registry(
            insecure=given.insecure,
            ca=_file(mistakes, "--ca", given.ca),
            auth_file=_file(mistakes, "--auth-file", given.auth_file),
            timeout=_whole(mistakes, "--timeout", given.timeout, 3600),
            tries=_whole(mistakes, "--tries", given.tries, 10),
        ),
        needs=given.needs,
    )
    if given.verify and given.push is not None:
        mistakes.append("--verify and --push cannot go together: push first, then verify what was pushed")
    if not given.verify and given.push is None:
        useless = [flag for flag in ("insecure", "ca", "auth_file") if getattr(given, flag)]
        mistakes += [f"--{flag.replace('_', '-')} has no meaning without --push or --verify" for flag in useless]
    if mistakes:
        raise Mistakes(mistakes)
    return options


def _take_bare(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without those options that lack their value, at which argparse would stop; and those."""
    kept: list[str] = []
    bare: list[str] = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        (bare if word in _WITH_VALUE and following.startswith("--") else kept).append(word)
    return kept, bare


def _parser(version: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./build.sh image",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    make = parser.add_argument_group("making")
    make.add_argument("--output", metavar="DIR", default=str(ROOT / "target" / "images"), help="the folder (target/images)")
    make.add_argument("--plugin", metavar="FILE", help="the filter (what ./build.sh wasm makes)")
    make.add_argument(
        "--agent",
        metavar="PLATFORM=FILE",
        action="append",
        default=[],
        help=f"an agent, for {' or '.join(PLATFORMS)}; once for each (what ./build.sh agent makes, and its like for the other)",
    )
    push = parser.add_argument_group("pushing and checking")
    push.add_argument("--push", metavar="REGISTRY/PREFIX", help="where to push: PREFIX/exeunt and PREFIX/exeunt-agent")
    push.add_argument("--tag", metavar="TAG", default=version, help=f"the tag of both (the version, {version})")
    push.add_argument(
        "--verify",
        metavar="URL",
        action="append",
        default=[],
        help="say whether Istio takes the image of a WasmPlugin's url; nothing is made",
    )
    push.add_argument("--insecure", action="store_true", help="allow plain HTTP, and certificates that nobody has signed")
    push.add_argument("--ca", metavar="FILE", help="the certificate of the authority that signed the registry's (PEM)")
    push.add_argument("--auth-file", metavar="FILE", help="credentials, as docker login writes them")
    push.add_argument("--timeout", metavar="SECONDS", default="60", help="for each call to the registry (60)")
    push.add_argument("--tries", metavar="N", default="3", help="how often a call is tried that may succeed later (3)")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    return parser


def _file(mistakes: list[str], flag: str, text: str | None) -> Path | None:
    if text is None:
        return None
    if not Path(text).is_file():
        mistakes.append(f"{flag} {text} is not allowed: must be a file that is there")
    return Path(text)


def _agents(mistakes: list[str], words: list[str]) -> dict[str, Path]:
    agents: dict[str, Path] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in PLATFORMS:
            mistakes.append(f"--agent {word} is not allowed: must be {'=FILE or '.join(PLATFORMS)}=FILE")
        elif name in agents:
            mistakes.append(f"--agent {word} is not allowed: there is one for {name} already")
        elif (path := _file(mistakes, f"--agent {name}", text)) is not None:
            agents[name] = path
    return agents


def _whole(mistakes: list[str], flag: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        mistakes.append(f"{flag} {text} is not allowed: must be a whole number from 1 to {most}")
        return 1
    return int(text)
