"""The workflows: rules that no linter checks."""

import re
from typing import Any

import pytest
import yaml

from harness.paths import ROOT

_FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Any) -> None:
    uses = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert uses
    assert [line for line in uses if not re.fullmatch(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_a_workflow_may_read_and_a_job_says_what_more_it_needs(path: Any) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    granted = {name: job.get("permissions", {}) for name, job in workflow["jobs"].items()}
    writes = {(name, right) for name, rights in granted.items() for right, level in rights.items() if level == "write"}
    assert writes <= {
        ("images", "packages"),
        ("images", "id-token"),
        ("crates", "id-token"),
        ("pypi", "id-token"),
        ("page", "contents"),
    }


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_no_expression_is_put_into_a_script(path: Any) -> None:
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert [script for script in scripts if "${{" in script] == []


def test_a_release_publishes_every_crate_that_the_dry_run_packages() -> None:
    packaged = re.search(r"^CRATES=\((.*)\)$", (ROOT / "build" / "release.sh").read_text(), re.MULTILINE)
    assert packaged is not None
    words = " ".join(f"--package {name}" for name in packaged[1].split())
    assert f"cargo publish --locked {words}\n" in (ROOT / ".github" / "workflows" / "release.yml").read_text()


def test_nothing_is_published_that_has_not_passed_on_a_cluster() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]

    def before(name: str) -> set[str]:
        needs = jobs[name].get("needs", [])
        direct = {needs} if isinstance(needs, str) else set(needs)
        return direct.union(*(before(other) for other in direct))

    assert any("./build.sh e2e" in step.get("run", "") for step in jobs["cluster"]["steps"])
    publishing = [name for name, job in jobs.items() if "write" in job.get("permissions", {}).values()]
    assert publishing
    assert [name for name in publishing if "cluster" not in before(name)] == []
