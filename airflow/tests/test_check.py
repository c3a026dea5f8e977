"""The command `exeunt-airflow check`."""

from pathlib import Path

import pytest
import yaml

import vectors
from exeunt_airflow import check

TOLD = {"proxy": "native", "image": vectors.SETTINGS.image}


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str | Path, **texts: str
) -> tuple[int, str, str]:
    """The exit code and what the command prints, with these settings."""
    monkeypatch.setattr(check, "source", lambda: TOLD | texts)
    code = check.main(["check", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_it_prints_the_settings_and_the_pod(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(monkeypatch, capsys, vectors.FOLDER / "kpo-plain.in.yaml")
    assert (code, err) == (0, "")
    assert vectors.comparable(yaml.safe_load(out)) == vectors.comparable(vectors.load("kpo-plain.out.yaml"))
    assert "# [exeunt] proxy: 'native' (default: auto)" in out.splitlines()


def test_it_says_why_a_pod_stays_unchanged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(monkeypatch, capsys, vectors.FOLDER / "opted-out.in.yaml")
    assert (code, err) == (1, "exeunt leaves this pod unchanged: its label exeunt.dev/drain is off\n")
    assert yaml.safe_load(out) is None


def test_a_mistake_that_is_ignored_does_not_hide_the_pod(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(monkeypatch, capsys, vectors.FOLDER / "kpo-plain.in.yaml", signal_port="0")
    assert (code, err) == (1, "[exeunt] signal_port is '0': must be a port, 1 to 65535\n")
    assert yaml.safe_load(out)["kind"] == "Pod"


def test_with_any_other_mistake_it_says_that_exeunt_is_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(monkeypatch, capsys, vectors.FOLDER / "kpo-plain.in.yaml", uid="root")
    assert (code, out) == (1, "")
    assert err.startswith("[exeunt] uid is 'root': must be ")
    assert err.splitlines()[-1].startswith("exeunt is off until the mistakes in [exeunt] are corrected")


def test_a_hook_that_is_switched_off_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(monkeypatch, capsys, vectors.FOLDER / "kpo-plain.in.yaml", enabled="False")
    assert (code, err) == (1, "[exeunt] enabled is false: pods stay unchanged\n")


def test_a_file_that_is_no_pod_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pod.yaml").write_text("[")
    code, _, err = run(monkeypatch, capsys, tmp_path / "pod.yaml")
    assert code == 1
    assert err.startswith(f"{tmp_path / 'pod.yaml'} cannot be read as a pod: ")


def test_without_a_file_it_takes_the_template_of_the_executor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys)[0] == 1
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE", str(vectors.FOLDER / "kpo-plain.in.yaml"))
    code, out, _ = run(monkeypatch, capsys)
    assert (code, yaml.safe_load(out)["metadata"]["name"]) == (0, "run-report-lilskmzd")
