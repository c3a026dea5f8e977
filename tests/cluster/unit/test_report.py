"""The report: the table, JSON, JUnit and the page."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from cluster.facts import Facts
from cluster.files import write
from cluster.junit import junit
from cluster.page import page
from cluster.report import AGENT_BY, FAILED, FILTER_FROM, PASSED, SKIPPED, Result, Run, of_json
from cluster.table import evidence, table

VERDICT = {"proxy": "gone", "drainMs": 4051, "route": "filter 127.0.0.1:15190"}
GOOD = Facts(
    "Succeeded", "Complete", {"base": 0}, {"istio-proxy": 0}, 5, 12_000_000, 12_000_000, dict(VERDICT), ["by the filter"]
)
BAD = Facts("Running", "", {"base": 3}, {"istio-proxy": 2}, None, 12_000_000, 7_000_000)


def run() -> Run:
    results = [
        Result("slow", "everything arrives", PASSED, [], 12.5, GOOD),
        Result(
            "lossy", "nothing is lost", FAILED, ["7000000 of 12000000 bytes arrived"], 3.0, BAD, {"log of base": "a\x1b[0m | b"}
        ),
        Result("strict", "it is taken", SKIPPED, ["Istio CNI is not installed"]),
    ]
    return Run("2026-01-02", "./build.sh e2e", {"istio": "1.29.6", "envoy": "1.37.0", "kubernetes": "v1.36.0"}, results)


def test_the_table_has_a_row_for_each_result_and_the_reasons_below() -> None:
    lines = table(run()).splitlines()
    assert lines[1].split("  ")[0] == "slow"
    assert "Succeeded, 0" in lines[1]
    assert "gone, 4,051 ms" in lines[1]
    assert "12,000,000 of 12,000,000" in lines[1]
    assert "7,000,000 of 12,000,000" in lines[2]
    assert lines[4:] == [
        "FAILED lossy: 7000000 of 12000000 bytes arrived",
        "skipped strict: Istio CNI is not installed",
        "1 passed, 1 failed, 1 skipped",
    ]


def test_an_interrupted_run_is_marked() -> None:
    made = run()
    made.interrupted = True
    assert table(made).endswith("1 skipped; interrupted")
    assert ElementTree.fromstring(junit(made)).find("testsuite").get("errors") == "1"  # type: ignore[union-attr]  # noqa: S314


def test_junit_has_counts_reasons_and_evidence() -> None:
    suite = ElementTree.fromstring(junit(run())).find("testsuite")  # noqa: S314
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "7000000 of 12000000 bytes arrived"
    assert failure.text == "=== log of base\na[0m | b"
    assert suite.find("properties/property[@name='istio']").get("value") == "1.29.6"  # type: ignore[union-attr]


def test_a_run_is_read_from_its_json() -> None:
    assert of_json(json.loads(json.dumps(run().as_json()))) == run()


def test_the_json_file_has_a_line_for_each_result(tmp_path: Path) -> None:
    write(run(), tmp_path)
    text = (tmp_path / "e2e.json").read_text()
    assert len(text.splitlines()) == 5
    assert of_json(json.loads(text)) == run()


def test_the_page_names_versions_command_skips_and_failures() -> None:
    text = page([run(), run()])
    assert text.count("## Istio 1.29.6, Envoy 1.37.0, Kubernetes v1.36.0") == 2
    assert "\n    ./build.sh e2e\n" in text
    assert "- `strict`, it is taken: Istio CNI is not installed" in text
    assert "- `lossy`, nothing is lost: 7000000 of 12000000 bytes arrived" in text
    assert "- `slow`: everything arrives (by the filter)" in text


def test_a_load_is_told_in_the_page_and_in_junit() -> None:
    made = run()
    assert "load" not in page([made])
    made.load = "--load 20: load averages of a minute: node1 19 to 23, on average 21"
    assert f"\n{made.load}.\n" in page([made])
    suite = ElementTree.fromstring(junit(made)).find("testsuite")  # noqa: S314
    assert suite is not None
    assert suite.find("properties/property[@name='load']").get("value") == made.load  # type: ignore[union-attr]
    assert of_json(json.loads(json.dumps(made.as_json()))) == made


def test_a_run_of_ordinary_jobs_says_so_in_its_heading() -> None:
    made = run()
    made.versions |= {AGENT_BY: "policy", FILTER_FROM: "configMap"}
    told = ": ordinary Jobs, the agent by policy, the filter from configMap"
    assert f"## Istio 1.29.6, Envoy 1.37.0, Kubernetes v1.36.0{told}\n" in page([made])
    assert page([made]).count("policy") == 1


def test_only_failed_scenarios_show_evidence() -> None:
    assert evidence(run()) == ["=== lossy: log of base", "a\x1b[0m | b"]


def test_no_partial_file_is_left(tmp_path: Path) -> None:
    write(run(), tmp_path / "new")
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["e2e.json", "e2e.xml", "report.md"]
