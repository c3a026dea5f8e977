"""The command line. Every mistake is named at once, before anything is built."""

import argparse
import itertools
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
Makes the OCI images of exeunt without a Docker daemon, byte for byte the same every time:

  exeunt          the plugin that Istio pulls: one linux/amd64 manifest, whose one layer has plugin.wasm at its root
  exeunt-agent    the agent that kubelet pulls: one static binary for each --platform, and plugin.wasm for image volumes
  kubectl-exeunt  the command, for its controller: one static binary for each --cli; without --cli there is no such image

into a folder: each image as an OCI layout, and for each platform an archive for docker load, the binary, and its bill of
materials (CycloneDX); with SHA256SUMS, and images.json, which has every name and digest. With --push it also pushes them
to a registry, and first checks that the registry can be used.
"""

_EPILOG = """
examples:
  ./build.sh image                                            into target/images
  ./build.sh image --push ghcr.io/you --tag 0.1.0-rc1         and to ghcr.io/you/exeunt and ghcr.io/you/exeunt-agent
  ./build.sh image --push 127.0.0.1:5000 --insecure           to a registry without TLS
  ./build.sh image --platform linux/amd64 --platform linux/arm64
                                                              for nodes of both kinds
  ./build.sh image --verify oci://ghcr.io/you/exeunt:0.1.0    would Istio take that image? if not, why?

environment:
  SOURCE_DATE_EPOCH   the date in the images, in seconds since 1970 (the commit's date)
  REGISTRY_AUTH_FILE  as --auth-file (what `skopeo login` or `docker login` has written)

exit codes: 0 done, or taken by Istio; 1 failed, or refused by Istio; 64 the command line is wrong; 69 a program is missing
"""

_WITH_VALUE = (
    "--output",
    "--plugin",
    "--agent",
    "--cli",
    "--platform",
    "--push",
    "--tag",
    "--verify",
    "--ca",
    "--auth-file",
    "--timeout",
    "--tries",
)
# This machine's, or empty if no agent can be built for it.
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
    # By platform; empty: the files that build.sh makes for `platforms`.
    agents: dict[str, Path]
    # The commands by platform; empty: none.
    commands: dict[str, Path]
    platforms: list[str]
    push: str
    tag: str
    verify: list[Reference]
    registry: Registry
    # Only check the registry, and print what build.sh must build or install first.
    needs: bool = False

    @property
    def plugin_file(self) -> Path:
        """The filter."""
        return self.plugin or ROOT / "target" / "exeunt.wasm"

    @property
    def agent_files(self) -> dict[str, Path]:
        """The agents by platform."""
        return self.agents or {name: _built_agent(name) for name in self.platforms}

    @property
    def needed(self) -> list[str]:
        """What build.sh must build or install; `agent` is this machine's, `agent-arm64` or `agent-amd64` the other."""
        if self.verify:
            return ["skopeo"]
        agents = [] if self.agents else ["agent" if name == _NATIVE else f"agent-{_machine(name)}" for name in self.platforms]
        return [*(["plugin"] if self.plugin is None else []), *agents, "cargo", *(["skopeo"] if self.push else [])]


def _built_agent(name: str) -> Path:
    """Where build.sh puts the agent for a platform."""
    built = ROOT / "target" / "exeunt-agent"
    return built if name == _NATIVE else built.with_name(f"{built.name}-{_machine(name)}")


def _machine(name: str) -> str:
    return name.partition("/")[2]


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
        agents=_programs(mistakes, "--agent", given.agent),
        commands=_programs(mistakes, "--cli", given.cli),
        platforms=_platforms(mistakes, given.platform),
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
    if given.agent and given.platform:
        mistakes.append("--agent and --platform cannot go together: --agent names a platform itself")
    if given.verify and given.push is not None:
        mistakes.append("--verify and --push cannot go together: push first, then verify what was pushed")
    if not given.verify and given.push is None:
        useless = [flag for flag in ("insecure", "ca", "auth_file") if getattr(given, flag)]
        mistakes += [f"--{flag.replace('_', '-')} has no meaning without --push or --verify" for flag in useless]
    if mistakes:
        raise Mistakes(mistakes)
    return options


def _take_bare(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without those options that lack their value, because argparse would stop at the first; and those options."""
    kept: list[str] = []
    bare: list[str] = []
    for word, following in itertools.pairwise([*words, "--"]):
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
    make = parser.add_argument_group("building")
    make.add_argument("--output", metavar="DIR", default=str(ROOT / "target" / "images"), help="the folder (target/images)")
    make.add_argument("--plugin", metavar="FILE", help="the filter (what ./build.sh wasm makes)")
    make.add_argument(
        "--agent",
        metavar="PLATFORM=FILE",
        action="append",
        default=[],
        help=f"a built agent for {' or '.join(PLATFORMS)}; can be repeated (what ./build.sh makes for each --platform)",
    )
    make.add_argument(
        "--cli",
        metavar="PLATFORM=FILE",
        action="append",
        default=[],
        help=f"a built kubectl-exeunt for {' or '.join(PLATFORMS)}; can be repeated (what ./build.sh cli makes)",
    )
    make.add_argument(
        "--platform",
        metavar="PLATFORM",
        action="append",
        default=[],
        help=f"build the agent for {' or '.join(PLATFORMS)}; can be repeated (this machine's, {_NATIVE or 'not supported'})",
    )
    push = parser.add_argument_group("pushing and checking")
    push.add_argument("--push", metavar="REGISTRY/PREFIX", help="push to REGISTRY/PREFIX/exeunt and so on")
    push.add_argument("--tag", metavar="TAG", default=version, help=f"the tag of all (the version, {version})")
    push.add_argument(
        "--verify",
        metavar="URL",
        action="append",
        default=[],
        help="say whether Istio takes the image that is the url of a WasmPlugin; nothing is built",
    )
    push.add_argument("--insecure", action="store_true", help="allow plain HTTP, and do not check certificates")
    push.add_argument("--ca", metavar="FILE", help="the certificate of the authority that signed the registry's (PEM)")
    push.add_argument("--auth-file", metavar="FILE", help="credentials, as docker login writes them")
    push.add_argument("--timeout", metavar="SECONDS", default="60", help="for each call to the registry (60)")
    push.add_argument("--tries", metavar="N", default="3", help="how often to try a call that may succeed later (3)")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    return parser


def _file(mistakes: list[str], flag: str, text: str | None) -> Path | None:
    if text is None:
        return None
    if not Path(text).is_file():
        mistakes.append(f"{flag} {text} is not allowed: must be an existing file")
    return Path(text)


def _programs(mistakes: list[str], flag: str, words: list[str]) -> dict[str, Path]:
    programs: dict[str, Path] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in PLATFORMS:
            mistakes.append(f"{flag} {word} is not allowed: must be {'=FILE or '.join(PLATFORMS)}=FILE")
        elif name in programs:
            mistakes.append(f"{flag} {word} is not allowed: there is one for {name} already")
        elif (path := _file(mistakes, f"{flag} {name}", text)) is not None:
            programs[name] = path
    return programs


def _platforms(mistakes: list[str], words: list[str]) -> list[str]:
    mistakes += [f"--platform {word} is not allowed: must be {' or '.join(PLATFORMS)}" for word in words if word not in PLATFORMS]
    # Each once, in the order in which they were named.
    return list(dict.fromkeys(words)) or ([_NATIVE] if _NATIVE else [])


def _whole(mistakes: list[str], flag: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        mistakes.append(f"{flag} {text} is not allowed: must be a whole number from 1 to {most}")
        return 1
    return int(text)
