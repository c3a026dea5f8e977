"""The whole program, as far as it needs no cluster. It runs without installed packages: `-S` hides them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RECORDS = sorted((ROOT / "docs" / "cluster").glob("*.json"))


def e2e(*words: str, module: str = "cluster") -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONDONTWRITEBYTECODE": "1"} | ({"PYTHONPATH": str(ROOT / "tests")} if module == "cluster" else {})
    return subprocess.run(
        [sys.executable, "-S", "-m", module, *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=ROOT,
        timeout=60,
    )


def test_mistakes_are_on_stderr_and_the_exit_code_is_that_of_usage() -> None:
    run = e2e("--parallel", "0")
    assert (run.returncode, run.stdout) == (64, "")
    assert [line.split()[1] for line in run.stderr.splitlines()] == [
        "--parallel",
        "--kubeconfig",
        "--plugin-url",
        "--agent-image",
        "./build.sh",
    ]


def test_the_list_names_every_scenario_with_its_sentence() -> None:
    run = e2e("--list")
    assert run.returncode == 0
    assert all(len(line.split()) > 3 for line in run.stdout.splitlines())


@pytest.mark.parametrize("module", ["cluster", "tests.cluster"])
def test_the_help_names_the_verb_that_pushes_the_images(module: str) -> None:
    run = e2e("--help", module=module)
    assert (run.returncode, run.stderr) == (0, "")
    assert "./build.sh image --push" in run.stdout


def test_every_file_that_is_no_run_is_refused(tmp_path: Path) -> None:
    others = [tmp_path / "other.json", tmp_path / "list.json"]
    others[0].write_text('{"date": 1}')
    others[1].write_text("[]")
    run = e2e("--render", *map(str, others))
    assert run.returncode == 64
    assert [line.split(" is not allowed")[0] for line in run.stderr.splitlines()] == [f"e2e: --render {path}" for path in others]


def test_the_page_in_docs_is_made_from_the_recorded_runs() -> None:
    assert RECORDS
    run = e2e("--render", *(str(file.relative_to(ROOT)) for file in RECORDS))
    assert run.stdout == (ROOT / "docs" / "cluster-report.md").read_text()
