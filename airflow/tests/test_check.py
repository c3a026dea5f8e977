"""The command `exeunt-airflow check`."""

import io
from pathlib import Path

import pytest
import yaml

import vectors
from exeunt_airflow import check, hook
from exeunt_airflow.log import log

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "airflow.md"
UNCHANGED = "exeunt leaves this pod unchanged: its restartPolicy is Always"
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
    assert f"# The pod with its agent, from {vectors.FOLDER / 'kpo-plain.in.yaml'}:" in out.splitlines()


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "while parsing"),
        ("a: b", "it is no pod: must be one YAML document with a spec"),
        ("", "it is no pod"),
        ("kind: Job\nspec: {}", "its kind is Job: must be Pod"),
        ("spec: {containers: [base]}", ""),
    ],
)
def test_a_file_that_is_no_pod_is_told(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pod.yaml").write_text(text)
    code, out, err = run(monkeypatch, capsys, "--operator", tmp_path / "pod.yaml")
    assert (code, yaml.safe_load(out)) == (1, None)
    assert err.startswith(f"{tmp_path / 'pod.yaml'} cannot be read as a pod: {reason}")


def test_a_file_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(monkeypatch, capsys, "/no/such/file")
    assert code == 1
    assert err.startswith("/no/such/file cannot be read as a pod: ")
    assert "No such file" in err


def test_a_template_of_an_operator_is_completed_as_the_operator_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    template = "spec: {containers: [{name: base}, {name: helper, image: 'helper:1'}]}"
    monkeypatch.setattr("sys.stdin", io.StringIO(template))
    code, _, err = run(monkeypatch, capsys, "-")
    assert (code, err[: len(UNCHANGED)]) == (1, UNCHANGED)
    monkeypatch.setattr("sys.stdin", io.StringIO(template))
    code, out, err = run(monkeypatch, capsys, "--operator", "-")
    assert (code, err) == (0, "")
    spec = yaml.safe_load(out)["spec"]
    assert spec["restartPolicy"] == "Never"
    assert [one["image"] for one in spec["containers"]] == ["IMAGE-OF-THE-OPERATOR", "helper:1"]
    assert spec["initContainers"][0]["name"] == "exeunt"


def test_stdout_has_the_pod_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(hook, "add_agent", lambda *_: log.warning("the cluster is silent"))
    code, out, err = run(monkeypatch, capsys, vectors.FOLDER / "kpo-plain.in.yaml")
    assert (code, err, "silent" in out) == (0, "the cluster is silent\n", False)


def test_without_a_file_it_takes_the_template_of_the_executor_or_the_pod_of_an_operator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys)
    assert (code, [one["name"] for one in yaml.safe_load(out)["spec"]["containers"]]) == (0, ["base"])
    assert "# The pod with its agent, from no template:" in out.splitlines()
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE", str(vectors.FOLDER / "kpo-plain.in.yaml"))
    code, out, _ = run(monkeypatch, capsys)
    assert (code, yaml.safe_load(out)["metadata"]["name"]) == (0, "run-report-lilskmzd")


def test_the_page_shows_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check.main(["check", "--help"])
    said = capsys.readouterr().out
    page = GUIDE.read_text()
    for option in ("--operator", "FILE"):
        assert option in said
        assert option in page
