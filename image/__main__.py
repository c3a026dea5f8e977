"""./build.sh image: makes the images, writes them, and pushes or checks them."""

import hashlib
import json
import sys
from pathlib import Path

from .archive import docker_archive
from .arguments import Options, read
from .binaries import Binary, Unfit, read_plugin, read_program
from .fault import Fault, Mistakes
from .images import AGENT, COMMAND, PLUGIN, PUBLISHED, Image, agent_image, command_image, plugin_image
from .layout import layout_files
from .output import MARK, write_folder
from .project import Project, read_project
from .push import check_registry, push
from .sbom import bill_of
from .verify import verify

# EX_USAGE of sysexits(3).
_WRONG_USE = 64
# As a shell counts it: 128 and the number of SIGINT.
_INTERRUPTED = 130


def main() -> int:
    """The exit code."""
    try:
        project = read_project()
        options = read(sys.argv[1:], project.version)
        if options.push:
            check_registry(options)
        if options.needs:
            print(*options.needed)
            return 0
        if options.verify:
            return _verify(options)
        _make(options, project)
    except Mistakes as mistakes:
        for line in mistakes.lines:
            _say(f"image: {line}")
        return _WRONG_USE
    except Fault as fault:
        _say(f"image: {fault}")
        return 1
    except OSError as error:
        # An error without a better message of its own, such as no room for temporary files.
        _say(f"image: {error.filename or 'a temporary file'}: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _make(options: Options, project: Project) -> None:
    plugin, agents, commands = _read(options)
    images = [plugin_image(project, plugin.data), agent_image(project, agents, plugin.data)]
    if commands:
        images.append(command_image(project, commands))
    files: dict[str, bytes] = {}
    for image in images:
        files |= {f"{image.name}/{path}": data for path, data in layout_files(image, options.tag).items()}
        for single in image.singles:
            files[f"{_stem(image.name, project, single.platform)}.tar"] = docker_archive(
                single, f"{PUBLISHED}/{image.name}:{options.tag}"
            )
    programs = [*((AGENT, agent) for agent in agents), *((COMMAND, command) for command in commands)]
    for name, binary in [(PLUGIN, plugin), *programs]:
        # The binaries themselves, too: a release offers every file in this folder.
        files[f"{_stem(name, project, binary.platform)}{'.wasm' if name == PLUGIN else ''}"] = binary.data
        files[f"{_stem(name, project, binary.platform)}.cdx.json"] = bill_of(project, name, binary)
    files["SHA256SUMS"] = _checksums(files)
    files[MARK] = _record(project, images)
    write_folder(options.output, files)
    for image in images:
        _say(f"{options.output / image.name}: {image.top.digest} ({', '.join(image.platforms)})")
    if options.push:
        for line in push(options, images, _say):
            print(line)


def _read(options: Options) -> tuple[Binary, list[Binary], list[Binary]]:
    mistakes: list[str] = []
    plugin = None
    try:
        plugin = read_plugin(options.plugin_file)
    except Unfit as unfit:
        mistakes.append(f"--plugin {options.plugin_file} is not allowed: it {unfit}")
    agents = _programs(mistakes, "agent", options.agent_files)
    commands = _programs(mistakes, "cli", options.commands)
    if not options.agent_files:
        mistakes.append("no agent can be built for this machine: name one with --agent PLATFORM=FILE")
    if mistakes or plugin is None:
        raise Mistakes(mistakes)
    return plugin, agents, commands


def _programs(mistakes: list[str], verb: str, files: dict[str, Path]) -> list[Binary]:
    """The binaries by platform. `verb` is that of build.sh, and the option that names them."""
    programs = []
    for platform, path in files.items():
        try:
            programs.append(read_program(path, platform, verb))
        except Unfit as unfit:
            mistakes.append(f"--{verb} {platform}={path} is not allowed: it {unfit}")
    return programs


def _verify(options: Options) -> int:
    verdicts = [verify(image, options.registry) for image in options.verify]
    for verdict in verdicts:
        print(*verdict.lines, sep="\n")
    return 1 if any(verdict.refused for verdict in verdicts) else 0


def _stem(name: str, project: Project, platform: str) -> str:
    """A file's name, such as exeunt-agent-0.1.0-linux-arm64, or exeunt-0.1.0 for WebAssembly."""
    return f"{name}-{project.version}" + ("" if platform == "wasm32" else f"-{platform.replace('/', '-')}")


def _checksums(files: dict[str, bytes]) -> bytes:
    """For `sha256sum --check`. The names of a layout's blobs are their checksums already."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()) if "/" not in name]
    return "".join(lines).encode()


def _record(project: Project, images: list[Image]) -> bytes:
    """The names and digests of what was made, for programs."""
    made = {
        image.name: {
            "digest": image.top.digest,
            "mediaType": image.top.media_type,
            "platforms": {single.platform: single.manifest.digest for single in image.singles},
        }
        for image in images
    }
    record = {"version": project.version, "revision": project.revision, "created": project.created, "images": made}
    return json.dumps(record, indent=2).encode() + b"\n"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
