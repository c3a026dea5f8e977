"""The workflows: rules that no linter checks."""

import re
from pathlib import Path

import pytest
import yaml

from documents.pages import blocks
from harness.paths import ROOT
from release.workflows import FILES, RELEASE, Job, before, jobs

_JOBS = [job for path in FILES for job in jobs(path)]
# Each right that a job may use to change something, and what for.
_RIGHTS = {
    # The images and the chart: push, sign, provenance.
    "images": {"packages", "id-token", "attestations"},
    # The files: sign, provenance.
    "files": {"id-token", "attestations"},
    # Trusted publishing.
    "crates": {"id-token"},
    "pypi": {"id-token"},
    # The release page.
    "page": {"contents"},
}
_PUBLISHING = [job for job in _JOBS if job.writes]


def _name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Path) -> None:
    uses = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert uses
    assert [line for line in uses if not re.fullmatch(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_workflow_may_read_and_a_job_says_what_more_it_needs(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_each_job_has_the_rights_that_it_uses_and_no_other() -> None:
    assert {job.name: job.writes for job in _PUBLISHING} == _RIGHTS


@pytest.mark.parametrize("job", _PUBLISHING, ids=str)
def test_a_job_with_rights_builds_nothing_and_runs_nobodys_code(job: Job) -> None:
    assert job.builds == []


@pytest.mark.parametrize(
    ("line", "builds"),
    [
        ("./build.sh image --push ghcr.io/exeunt-dev", True),
        ('"$RUNNER_TEMP/venv/bin/pip" install uv==0.13.9', True),
        ("python3 -m pip install build", True),
        ("python3 -m build --outdir dist airflow", True),
        ("cargo publish --locked --package exeunt-agent", True),
        ("cargo publish --locked --no-verify --package exeunt-agent", False),
        ("cargo build --release", True),
        ("helm package deploy/chart", True),
        ("helm push dist/files/exeunt-0.1.0.tgz oci://ghcr.io/exeunt-dev/charts", False),
        ("sudo apt-get install skopeo", True),
        ("cosign sign --yes ghcr.io/exeunt-dev/exeunt@sha256:12", False),
    ],
)
def test_a_line_that_builds_is_known(line: str, *, builds: bool) -> None:
    job = Job(RELEASE, "job", {"steps": [{"run": line}]})
    assert bool(job.builds) is builds


@pytest.mark.parametrize("job", _PUBLISHING, ids=str)
def test_a_job_with_rights_first_checks_that_it_has_what_was_built(job: Job) -> None:
    steps = [step for step in job.steps if not step.get("uses", "").startswith("actions/checkout@")]
    download, check, *_ = steps
    assert download["uses"].startswith("actions/download-artifact@")
    assert download["with"] == {"name": "release", "path": "dist"}
    assert check["env"] == {"SUMS": "${{ needs.build.outputs.sums }}"}
    assert check["run"].splitlines() == [
        "cd dist",
        'echo "$SUMS  SHA256SUMS" | sha256sum --check --strict',
        "sha256sum --check --strict --quiet SHA256SUMS",
        'test "$(find . -type f | wc -l)" -eq "$(($(wc -l <SHA256SUMS) + 1))"',
    ]
    assert "build" in job.needs


@pytest.mark.parametrize("job", [job for job in _JOBS if job.builds], ids=str)
def test_a_job_that_builds_has_neither_rights_nor_secrets(job: Job) -> None:
    assert "permissions" not in job.text
    assert "secrets." not in str(job.text)
    assert "github.token" not in str(job.text)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_expression_is_put_into_a_script(path: Path) -> None:
    scripts = [step["run"] for job in jobs(path) for step in job.steps if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_checkout_leaves_a_token_behind(path: Path) -> None:
    checkouts = [step for job in jobs(path) for step in job.steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step.get("with") != {"persist-credentials": False}] == []


def test_every_image_that_a_workflow_runs_is_named_by_its_digest() -> None:
    compose = yaml.safe_load((ROOT / ".github" / "registry" / "compose.yaml").read_text())
    images = [service["image"] for service in compose["services"].values()]
    assert images
    assert [image for image in images if not re.fullmatch(r"[\w./-]+:[\w.]+@sha256:[0-9a-f]{64}", image)] == []
    elsewhere = [line for job in _JOBS for line in job.builds if re.search(r"docker (?:run|pull|create)|podman run", line)]
    assert elsewhere == []
    assert [str(job) for job in _JOBS if "container" in job.text or "services" in job.text] == []


def test_a_release_publishes_every_crate_that_the_dry_run_packages() -> None:
    packaged = re.search(r"^CRATES=\((.*)\)$", (ROOT / "build" / "release.sh").read_text(), re.MULTILINE)
    assert packaged is not None
    words = " ".join(f"--package {name}" for name in packaged[1].split())
    workflow = RELEASE.read_text()
    assert f"cargo package --locked --no-verify {words}\n" in workflow
    assert f"cargo publish --locked --no-verify {words}\n" in workflow


def test_nothing_is_published_that_has_not_passed_on_a_cluster() -> None:
    (cluster,) = [job for job in jobs(RELEASE) if job.name == "cluster"]
    assert any("./build.sh e2e" in line for line in cluster.builds)
    assert "test" in before(cluster)
    assert [job.name for job in _PUBLISHING if "cluster" not in before(job)] == []


def test_what_nobody_can_take_back_comes_after_the_check_of_the_signatures() -> None:
    assert [name for name in ("crates", "pypi", "page") if "verify" not in _before(name)] == []


def test_the_release_is_checked_by_the_commands_that_readers_are_told() -> None:
    (verify,) = [job for job in jobs(RELEASE) if job.name == "verify"]
    run = "\n".join(step.get("run", "") for step in verify.steps)
    told = [block for block in blocks(ROOT / "docs" / "security.md") if "the release runs them" in block.comment]
    assert told
    for block in told:
        lines = [line for line in block.text.splitlines() if line.strip() and not re.match(r"VERSION=|#", line)]
        assert "\n".join(lines) in run, block


def _before(name: str) -> set[str]:
    (job,) = [job for job in jobs(RELEASE) if job.name == name]
    return before(job)
