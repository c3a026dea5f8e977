"""The program as a whole, where it needs neither a cluster nor the client."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RECORDS = sorted((ROOT / "docs" / "cluster").glob("*.json"))


def e2e(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT / "tests"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "cluster", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=ROOT,
        timeout=60,
    )


def test_mistakes_are_on_stderr_and_the_code_says_usage() -> None:
    done = e2e("--parallel", "0")
    assert (done.returncode, done.stdout) == (64, "")
    assert [line.split()[1] for line in done.stderr.splitlines()] == [
        "--parallel",
        "--kubeconfig",
        "--plugin-url",
        "--agent-image",
    ]


def test_the_list_names_every_scenario_with_its_sentence() -> None:
    done = e2e("--list")
    assert done.returncode == 0
    assert all(len(line.split()) > 3 for line in done.stdout.splitlines())


def test_the_help_names_the_verb_that_pushes_the_images() -> None:
    assert "./build.sh image --push" in e2e("--help").stdout


def test_a_file_that_is_no_run_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"date": 1}')
    done = e2e("--render", str(other))
    assert done.returncode == 64
    assert "is no e2e.json of this tool's" in done.stderr


def test_the_page_in_docs_is_what_its_records_render_to() -> None:
    assert RECORDS
    done = e2e("--render", *(str(file.relative_to(ROOT)) for file in RECORDS))
    assert done.stdout == (ROOT / "docs" / "cluster-report.md").read_text()
