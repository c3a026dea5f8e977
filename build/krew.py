"""Writes krew's manifest: the template with the version of this release and the checksums of its archives."""

import hashlib
import re
import sys
from pathlib import Path

# In the template, as an archive's checksum.
_UNKNOWN = "0" * 64


def manifest(version: str, template: str, folder: Path) -> str:
    """The manifest for the archives in a folder. A platform without an archive is left out."""
    text = re.sub(r"(?m)^# .*\n", "", template).replace("0.0.0", version)
    head, *platforms = re.split(r"(?m)^(?=    - selector:)", text)
    found = [_with_checksum(platform, folder) for platform in platforms]
    if not any(found):
        raise SystemExit(f"release: {folder} has no archive of a platform that deploy/krew/exeunt.yaml names")
    return head + "".join(found)


def _with_checksum(platform: str, folder: Path) -> str:
    name = re.search(r"(?m)^      uri: \S+/(\S+)$", platform)
    if name is None or _UNKNOWN not in platform:
        raise SystemExit("release: deploy/krew/exeunt.yaml has a platform without uri or sha256")
    archive = folder / name[1]
    if not archive.is_file():
        print(f"  krew's manifest is without {archive.name}, which was not built", file=sys.stderr)
        return ""
    return platform.replace(_UNKNOWN, hashlib.sha256(archive.read_bytes()).hexdigest())


if __name__ == "__main__":
    print(manifest(sys.argv[1], Path(sys.argv[2]).read_text(), Path(sys.argv[3])), end="")
