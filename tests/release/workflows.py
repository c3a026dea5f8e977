"""The workflows, and what their jobs may and do."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.paths import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASE = ROOT / ".github" / "workflows" / "release.yml"

# What makes files, or runs code that the project or others have written. cargo runs none of a package that it does not verify.
_BUILDS = re.compile(
    r"build\.sh|docker |podman |kubectl |kind |apt-get|curl|wget|\bmake\b"
    r"|\b(?:pip3?|pipx|uvx?|python3?|npm|npx|node|go)\"?\s"
    r"|\bhelm (?!push\b)|\bcargo (?:\+\S+ )?(?!(?:package|publish) --locked --no-verify\b)"
)


@dataclass(frozen=True)
class Job:
    """A job of a workflow."""

    workflow: Path
    name: str
    text: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.workflow.name}:{self.name}"

    @property
    def writes(self) -> set[str]:
        """The rights that change something."""
        return {right for right, level in self.text.get("permissions", {}).items() if level == "write"}

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps, in their order."""
        return list(self.text["steps"])

    @property
    def needs(self) -> set[str]:
        """The jobs that it waits for."""
        needs = self.text.get("needs", [])
        return {needs} if isinstance(needs, str) else set(needs)

    @property
    def builds(self) -> list[str]:
        """The lines of its scripts that build something or run code."""
        lines = [line for step in self.steps for line in step.get("run", "").splitlines()]
        return [line for line in lines if _BUILDS.search(line)]


def jobs(path: Path) -> list[Job]:
    """Every job of a workflow."""
    return [Job(path, name, text) for name, text in yaml.safe_load(path.read_text())["jobs"].items()]


def before(job: Job) -> set[str]:
    """Every job that must have succeeded before one."""
    others = {other.name: other for other in jobs(job.workflow)}
    return job.needs.union(*(before(others[name]) for name in job.needs))
