"""Prometheus' own programs, on the rules and on what the controller says."""

import subprocess
import time

import pytest

from harness.paths import ROOT
from harness.wait import until
from monitoring import dashboard
from monitoring.conftest import RULES, Counter, Prometheus, program, recorded, verdicts


def _promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), *words], capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_rules_are_valid() -> None:
    run = _promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert "4 rules found" in run.stdout


def test_each_alert_fires_when_it_must_and_only_then() -> None:
    run = _promtool("test", "rules", "tests/monitoring/rules_test.yaml")
    assert run.returncode == 0, run.stdout + run.stderr


def test_prometheus_scrapes_it(prometheus: Prometheus) -> None:
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert prometheus.value("sum(exeunt_pods_total)") == 5
    assert prometheus.value('exeunt_stuck_pods{namespace="jobs"}') == 1


@pytest.mark.parametrize("query", dashboard.queries(), ids=str)
def test_prometheus_answers_each_query_of_the_dashboard(prometheus: Prometheus, query: dashboard.Query) -> None:
    if query.is_range:
        now = time.time()
        found = prometheus.get("query_range", query=query.sent, start=str(now - 60), end=str(now), step="5")
    else:
        found = prometheus.get("query", query=query.sent)
    assert found["result"], "nothing is found"


def test_prometheus_evaluates_each_rule_and_a_loss_fires_at_once(counter: Counter, prometheus: Prometheus) -> None:
    def firing() -> list[tuple[str, str]]:
        alerts = prometheus.get("alerts")["alerts"]
        return [(one["labels"]["alertname"], one["labels"]["namespace"]) for one in alerts if one["state"] == "firing"]

    assert firing() == []
    counter.tell(recorded("job-classic-exeunt-succeeded", "lost", verdicts()[1]))
    until("the bytes are counted", lambda: prometheus.value("sum(exeunt_undelivered_bytes_total)") == 1525700)
    until("the alert fires", lambda: firing() == [("ExeuntBytesLost", "jobs")])
    for rule in prometheus.get("rules")["groups"][0]["rules"]:
        assert (rule["health"], rule.get("lastError")) == ("ok", None), rule
