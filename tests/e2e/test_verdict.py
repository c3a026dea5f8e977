"""The schema of the verdict: it describes every verdict that was ever recorded, and it refuses what is not one."""

import copy
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import paths, verdict

Json = dict[str, Any]

RECORDED = paths.ROOT / "docs" / "cluster"
GUIDE = paths.ROOT / "docs" / "agent.md"
SCHEMA: Json = json.loads(verdict.SCHEMA.read_text())

GONE: Json = {
    "version": "0.1.0",
    "container": "base",
    "exitCode": 0,
    "signal": None,
    "exitStatus": "known",
    "action": "quit",
    "ended": "its process has ended",
    "decided": "istio-proxy is a regular container",
    "proxy": "gone",
    "route": "admin [::1]:15000",
    "rungs": [{"route": "filter 127.0.0.1:15190", "outcome": "refused"}, {"route": "admin [::1]:15000", "outcome": "gone"}],
    "drainMs": 26,
    "telemetryMs": None,
    "lingerMs": 0,
    "undelivered": {"connections": 0, "bytes": 0, "atLeast": False},
    "limit": None,
    "advice": None,
    "helpers": [],
    "warnings": [],
}
CUT_OFF: Json = {
    "undelivered": {"connections": 1, "bytes": 40_960, "atLeast": True},
    "limit": "grace-period",
    "advice": "raise it",
}
HELPERS: Json = {
    "helpers": [
        {"container": "cloud-sql-proxy", "asked": "POST http://127.0.0.1:9091/quitquitquit", "endedMs": 130},
        {"container": None, "asked": "GET http://127.0.0.1:80/end", "endedMs": 12},
        {"container": "cache", "asked": None, "endedMs": None},
    ]
}
UNKNOWN_END: Json = {"exitCode": None, "signal": None, "exitStatus": "unknown"}
NO_TIMES: Json = {"drainMs": None, "lingerMs": None, "route": None}
UNTOUCHED: Json = {
    "version": "0.1.0",
    "proxy": "untouched",
    "refused": [{"reason": "hostPID: true is not supported"}],
    "warnings": [],
}

# One of each form that the agent can write.
FORMS: dict[str, Json] = {
    "gone": GONE,
    "helpers": GONE | HELPERS,
    "gone by itself": GONE | {"route": None, "rungs": []},
    "gone before the task": GONE | {"route": None, "rungs": [], "drainMs": None},
    "ended by a signal": GONE | {"exitCode": None, "signal": 9},
    "end unknown": GONE | UNKNOWN_END,
    "left to kubelet": GONE | {"proxy": "left", "action": "drain"},
    "told by kubelet": GONE | UNKNOWN_END | {"container": None, "proxy": "left", "action": "drain", "route": "socket table"},
    "killed in mid drain": GONE | UNKNOWN_END | NO_TIMES | CUT_OFF | {"container": None, "proxy": "draining", "action": "drain"},
    "cut off by the grace period": GONE | CUT_OFF | {"proxy": "left", "action": "drain"},
    "left to the node": GONE | {"proxy": "left", "action": "drain", "route": "ztunnel", "rungs": []},
    "early, while the last bytes are sent": GONE
    | {"lingerMs": 120, "undelivered": {"connections": 1, "bytes": 40_960, "atLeast": False}},
    "bytes cut off": GONE | {"undelivered": {"connections": 2, "bytes": 5_102_000, "atLeast": True}},
    "by a signal to pilot-agent": GONE | {"route": "SIGTERM to pilot-agent"},
    "no proxy": GONE | NO_TIMES | {"proxy": "none", "rungs": []},
    "proxy stays": GONE | NO_TIMES | {"proxy": "stays", "rungs": GONE["rungs"][:1]},
    "attempts left out for length": GONE | {"rungs": None},
    "mistakes in the options": GONE | {"warnings": ["--nonsense: is not known: see --help; it is ignored"]},
    "untouched": UNTOUCHED,
    "untouched, reasons left out for length": UNTOUCHED | {"refused": []},
}

# For each field, a value that it cannot have.
WRONG: Json = {
    "version": 1,
    "container": "",
    "exitCode": 256,
    "signal": "9",
    "exitStatus": True,
    "action": "kill",
    "ended": None,
    "decided": "",
    "proxy": "fine",
    "route": "by chance",
    "rungs": [{"route": "ztunnel"}],
    "drainMs": "26",
    "telemetryMs": -1,
    "lingerMs": -1,
    "undelivered": {"connections": 0, "bytes": 0.5, "atLeast": False},
    "limit": "patience",
    "advice": "",
    "helpers": [{"container": "cache", "endedMs": 1}],
    "warnings": [""],
    "refused": ["hostPID"],
}

CONTRADICTIONS: dict[str, Json] = {
    "an exit code and a signal": GONE | {"signal": 9},
    "a known end without an exit code or a signal": GONE | {"exitCode": None},
    "an unknown end with an exit code": GONE | {"exitStatus": "unknown"},
    "a proxy that ended without the time": GONE | {"drainMs": None},
    "a time where there was no proxy": GONE | {"proxy": "none"},
    "a refusal that reports on a task": GONE | {"proxy": "untouched"},
    "a report with reasons for a refusal": GONE | {"refused": []},
}


def without(document: Json, field: str) -> Json:
    return {name: value for name, value in document.items() if name != field}


def recorded() -> list[Json]:
    """The verdicts of every run on a real cluster."""
    results = [result for file in RECORDED.glob("*.json") for result in json.loads(file.read_text())["results"]]
    verdicts = [result["facts"]["verdict"] for result in results if (result.get("facts") or {}).get("verdict")]
    # A recorded run can be older than these fields.
    return [{"warnings": []} | (verdict if "refused" in verdict else with_newer_fields(verdict)) for verdict in verdicts]


def with_newer_fields(verdict: Json) -> Json:
    undelivered = {"atLeast": False} | verdict["undelivered"]
    return {"limit": None, "advice": None, "telemetryMs": None, "helpers": []} | verdict | {"undelivered": undelivered}


def objects(schema: Any) -> Iterator[Json]:
    """Every part of the schema that describes an object with fields of its own."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


# === The schema and its documents ===


def test_every_recorded_verdict_conforms() -> None:
    verdicts = recorded()
    assert {one["proxy"] for one in verdicts} >= {"gone", "left", "untouched"}
    assert [problem for one in verdicts for problem in verdict.problems(one)] == []


def test_every_verdict_in_the_guide_conforms() -> None:
    examples = re.findall(r'^\{"version".*\}$', GUIDE.read_text(), re.MULTILINE)
    assert {verdict.check(example)["proxy"] for example in examples} >= {"gone", "untouched"}


def test_the_guide_explains_every_field() -> None:
    section = re.search(r"^## The verdict\n(.*?)(?=^## )", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None
    explained = {name for row in re.findall(r"^\| (`.+?`) \|", section[1], re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    forms = [SCHEMA["$defs"][name]["properties"] for name in ("report", "refusal")]
    assert explained == {name for form in forms for name in form}


def test_every_field_has_a_description_and_no_other_field_is_allowed() -> None:
    parts = list(objects(SCHEMA))
    assert len(parts) == 5
    for part in parts:
        assert part["additionalProperties"] is False
        assert set(part["required"]) == set(part["properties"])
        for name, field in part["properties"].items():
            text = field.get("description") or SCHEMA["$defs"][field["$ref"].rpartition("/")[2]]["description"]
            assert text.endswith("."), name


# === What conforms, and what does not ===


@pytest.mark.parametrize("form", FORMS)
def test_every_form_conforms(form: str) -> None:
    assert verdict.check(json.dumps(FORMS[form]) + "\n") == FORMS[form]


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_or_unknown_field_is_a_problem(form: str) -> None:
    for field in FORMS[form]:
        assert f"$: {field!r} is a required property" in verdict.problems(without(FORMS[form], field))
    assert "('extra' was unexpected)" in "".join(verdict.problems(FORMS[form] | {"extra": 1}))


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_value_is_a_problem_that_names_its_field(form: str) -> None:
    for field in FORMS[form]:
        wrong = copy.deepcopy(FORMS[form]) | {field: WRONG[field]}
        # A wrong word for the proxy makes a refusal a report, which lacks fields.
        assert any(problem.startswith(field) for problem in verdict.problems(wrong)) or field == "proxy", field
        assert verdict.problems(wrong), field


@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
def test_fields_that_contradict_each_other_are_a_problem(contradiction: str) -> None:
    assert verdict.problems(CONTRADICTIONS[contradiction])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "must be one line of JSON"),
        (f"{json.dumps(GONE)}\n{json.dumps(GONE)}", "must be one line of JSON"),
        (json.dumps(GONE)[:-1], "must be JSON"),
        (json.dumps(GONE | {"decided": "x" * 4096}), "must not be longer than 4096 bytes"),
        (json.dumps([GONE]), "is not of type 'object'"),
        (json.dumps(GONE | {"drainMs": 1.5}), "drainMs: 1.5 is not of type 'integer'"),
    ],
)
def test_a_line_that_is_no_verdict_fails(line: str, problem: str) -> None:
    with pytest.raises(verdict.InvalidVerdict, match=re.escape(problem)):
        verdict.check(line)


# === What the agent itself writes when it refuses ===


@pytest.mark.parametrize("option", ["--nonsense", f"--{'n' * 5000}"], ids=["short", "too long"])
def test_the_agents_refusal_conforms(tmp_path: Path, option: str) -> None:
    message = tmp_path / "termination-log"
    # As process 1 it is alone, and sees no task.
    alone = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", "--"]
    wrong: list[str | Path] = [option, "--drain-timeout", "soon"]
    argv = [*alone, paths.agent(), "watch", "--placement", "regular", *wrong, "--termination-log", message]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    refusal = verdict.check(message.read_text())
    assert (refusal["proxy"], len(refusal["refused"]), len(refusal["warnings"])) == ("untouched", 1, 2)
    assert verdict.check(run.stderr.splitlines()[-1]) == refusal
