"""What the dashboard and the alerts ask for is what the controller says."""

import json
import re
from typing import Any

import pytest
import yaml

from harness.paths import ROOT
from monitoring import dashboard, promql
from monitoring.conftest import RULES, Counter

_MONITORING = ROOT / "deploy" / "monitoring"
_RULES: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]


@pytest.mark.parametrize("query", dashboard.queries(), ids=str)
def test_a_query_of_the_dashboard_asks_for_what_there_is(counter: Counter, query: dashboard.Query) -> None:
    known = promql.scraped(counter.text())
    assert promql.mistakes(query.sent, known) == []
    # An aggregation leaves only the labels that it names.
    shown = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    aggregated = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", query.written))))
    (metric, *_) = promql.metrics(query.written)
    assert shown <= (aggregated or known[metric]), query.legend


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is(counter: Counter, rule: dict[str, Any]) -> None:
    known = promql.scraped(counter.text())
    assert promql.mistakes(rule["expr"], known) == []
    texts = json.dumps(rule["annotations"])
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= promql.labels(rule["expr"])
    # Every value of a matcher exists.
    for results in re.findall(r'result=~"([^"]*)"', rule["expr"]):
        assert [one for one in results.split("|") if f'result="{one}"' not in counter.text()] == []


def test_a_name_that_does_not_exist_is_a_mistake(counter: Counter) -> None:
    known = promql.scraped(counter.text())
    wrong = 'sum by (pod) (rate(exeunt_stuck_pods{space="x"}[1m])) > exeunt_pods'
    assert promql.mistakes(wrong, known) == [
        "there is no metric exeunt_pods",
        "none of exeunt_pods, exeunt_stuck_pods has a label pod",
        "none of exeunt_pods, exeunt_stuck_pods has a label space",
    ]
    assert promql.mistakes("up", known) == ["it asks for no metric of exeunt"]


def test_every_metric_is_in_the_document_and_in_the_dashboard(counter: Counter) -> None:
    known = {name for name in promql.scraped(counter.text()) if not name.endswith(("_sum", "_count"))}
    shown = set().union(*(promql.metrics(query.written) for query in dashboard.queries()))
    assert known - shown == set()
    page = (ROOT / "docs" / "observe.md").read_text()
    rows = dict(re.findall(r"^\| `(exeunt_\w+)` \| [^|]+ \| ([^|]*) \|", page, re.MULTILINE))
    labels = {name.removesuffix("_bucket"): labels for name, labels in promql.scraped(counter.text()).items() if name in known}
    documented = {name: set(re.findall(r"`(\w+)`", row)) for name, row in rows.items()}
    assert documented == {name: own - {"instance", "job", "le"} for name, own in labels.items()}


def test_both_forms_of_the_rules_are_equal_and_have_their_place_in_the_document() -> None:
    resource = yaml.safe_load((_MONITORING / "prometheusrule.yaml").read_text())
    assert (resource["apiVersion"], resource["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert resource["spec"] == yaml.safe_load(RULES.read_text())
    headings = re.findall(r"^#+ (\w+)$", (ROOT / "docs" / "observe.md").read_text(), re.MULTILINE)
    for rule in _RULES:
        assert rule["alert"] in headings
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"].endswith(f"/blob/main/docs/observe.md#{rule['alert'].lower()}")


def test_the_dashboard_can_be_imported_anywhere() -> None:
    board = dashboard.board()
    # Grafana gives the number, and its user chooses the data source.
    assert board["id"] is None
    (source,) = [one for one in board["templating"]["list"] if one["type"] == "datasource"]
    assert (source["name"], source["query"]) == ("datasource", "prometheus")
    used = json.dumps([board["panels"], [one for one in board["templating"]["list"] if one is not source]])
    assert set(re.findall(r'"uid": "([^"]*)"', used)) == {"${datasource}"}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    squares = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(squares)) == len(squares)
    assert max(x for x, _ in squares) < 24
    assert [panel["title"] for panel in panels if not panel["description"] or not panel["fieldConfig"]["defaults"]["unit"]] == []
