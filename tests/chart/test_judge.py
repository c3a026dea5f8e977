"""The judge itself: the mistakes that it must find."""

from pathlib import Path

import pytest

from chart.programs import HERE, ROOT, judge, run

PLUGIN = (ROOT / "wasmplugin.yaml").read_text()
SERVICE_ENTRY = (ROOT / "deploy" / "serviceentry.yaml").read_text()
JOB = (ROOT / "deploy" / "samples" / "job-classic.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "right", "wrong", "says"),
    [
        (PLUGIN, "failStrategy:", "failStratgy:", "spec.failStratgy: unknown field"),
        (PLUGIN, "FAIL_OPEN", "OPEN", 'supported values: "FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"'),
        (PLUGIN, "number: 15190", "number: 70000", "spec.match[0].ports[0].number"),
        (PLUGIN, "phase: AUTHN", "phase: AUTHN\n  phase: AUTHN", 'key "phase" already set'),
        # Mistakes that only the CEL rules of a definition find.
        (PLUGIN, "oci://", "ftp://", "url must have schema one of [http, https, file, oci]"),
        (SERVICE_ENTRY, "number: 15190", "number: 0", "port must be between 1-65535"),
        # Mistakes that only Kubernetes' own validation finds.
        (JOB, "runAsNonRoot", "runAsNotRoot", "unknown field"),
        (JOB, "restartPolicy: Never", "restartPolicy: Sometimes", 'supported values: "OnFailure", "Never"'),
        (JOB, "mountPath: /run/exeunt", "mountPath: /run/exeunt\n              subPath: ../..", "must not contain '..'"),
        (JOB, "        - name: exeunt\n          emptyDir", "        - name: else\n          emptyDir", 'Not found: "exeunt"'),
        (JOB, "kind: Job", "kind: Jobs", "unknown here"),
    ],
)
def test_a_mistake_is_named(text: str, right: str, wrong: str, says: str, newest: Path) -> None:
    assert right in text
    said = judge(text.replace(right, wrong), newest)
    assert not said.ok
    assert says in said.out


def test_nothing_at_all_is_a_mistake(newest: Path) -> None:
    said = judge("# nothing\n", newest)
    assert not said.ok
    assert said.out == "0 resources, 0 mistakes\n"


def test_its_source_is_formatted_as_go_is() -> None:
    said = run("gofmt", "-l", HERE / "tools" / "judge")
    assert (said.ok, said.out) == (True, ""), said.err
