"""What an image says about itself: the project's version, its revision and its date."""

import os
import subprocess
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .fault import Fault

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTATION = "docs/images.md"
_OCI = "org.opencontainers.image"
# The annotation with the name of an image of ours.
TITLE = f"{_OCI}.title"


@dataclass(frozen=True)
class Project:
    """What an image depends on besides its files."""

    version: str
    revision: str
    # Seconds since 1970.
    date: int
    source: str
    licenses: str

    @property
    def created(self) -> str:
        """The date in the form of OCI and CycloneDX (RFC 3339)."""
        return datetime.fromtimestamp(self.date, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def annotations(self, title: str, description: str) -> dict[str, str]:
        """The annotations that the OCI image specification defines."""
        pairs = {
            "title": title,
            "description": description,
            "version": self.version,
            "revision": self.revision,
            "created": self.created,
            "source": self.source,
            "url": self.source,
            "documentation": f"{self.source}/blob/v{self.version}/{DOCUMENTATION}",
            "licenses": self.licenses,
            "vendor": "exeunt",
        }
        return {f"{_OCI}.{key}": value for key, value in pairs.items() if value}


def read_project() -> Project:
    """The project in this folder. The date is SOURCE_DATE_EPOCH, or that of the commit."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    return Project(package["version"], _revision(), _date(), package["repository"], package["license"])


def _date() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        # 253402300799 is the last second of the year 9999; RFC 3339 has no later dates.
        if not (given.isascii() and given.isdigit() and int(given) <= 253402300799):
            raise Fault(f"SOURCE_DATE_EPOCH={given} is not allowed: must be a number of seconds since 1970")
        return int(given)
    committed = _git("log", "-1", "--format=%ct")
    if not committed:
        raise Fault("the images need a date, and this is no git clone: set SOURCE_DATE_EPOCH to a number of seconds since 1970")
    return int(committed)


def _revision() -> str:
    """The commit, with -dirty if the files differ from it; empty if there is none."""
    commit = _git("rev-parse", "HEAD")
    return f"{commit}-dirty" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*words: str) -> str:
    try:
        run = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
