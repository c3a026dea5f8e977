"""Golden pods: those that real Airflow built, and those that stand for one rule each."""

import logging
from typing import Any

import pytest
import yaml

import vectors
from exeunt_airflow import hook, xcom
from exeunt_airflow.amend import amend
from exeunt_airflow.proxy_config import ANNOTATION
from exeunt_airflow.reasons import NotConcerned
from exeunt_airflow.settings import Settings
from vectors import NAMES, SUFFIXES

UNTOUCHED = vectors.load("untouched.yaml")
TOUCHED = [name for name in NAMES if name not in UNTOUCHED]


@pytest.mark.parametrize("placement", SUFFIXES)
@pytest.mark.parametrize("name", TOUCHED)
def test_a_pod_is_given_its_agent_as_the_golden_file_has_it(name: str, placement: Any) -> None:
    golden = vectors.load(f"{name}{SUFFIXES[placement]}")
    assert vectors.comparable(vectors.outcome(name, placement)) == vectors.comparable(golden)


@pytest.mark.parametrize("placement", SUFFIXES)
@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_pod_that_is_not_ours_or_not_understood_is_told_from_the_others(name: str, placement: Any) -> None:
    assert vectors.outcome(name, placement) == UNTOUCHED[name]


def test_every_golden_file_belongs_to_a_pod_that_comes_in() -> None:
    expected = {f"{name}{suffix}" for name in TOUCHED for suffix in SUFFIXES.values()}
    assert {path.name for path in vectors.FOLDER.glob("*.out.yaml")} == expected


@pytest.mark.parametrize("placement", SUFFIXES)
@pytest.mark.parametrize("name", TOUCHED)
def test_a_second_hook_changes_nothing_any_more(name: str, placement: Any) -> None:
    pod = vectors.pod(name)
    amend(pod, vectors.SETTINGS, lambda _: placement).apply(pod)
    with pytest.raises(NotConcerned, match="it has its agent"):
        amend(pod, vectors.SETTINGS, lambda _: placement)


@pytest.mark.parametrize("name", NAMES)
def test_the_hook_changes_nothing_of_airflows_own_and_nothing_of_the_users(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "settings_or_none", lambda: Settings(placement="regular"))
    monkeypatch.setattr(xcom, "check", lambda _: None)
    before, pod = vectors.plain(vectors.pod(name)), vectors.pod(name)
    hook.pod_mutation_hook(pod)
    after = vectors.plain(pod)
    for part in ("labels", "annotations"):
        was, now = before["metadata"].get(part) or {}, after["metadata"].get(part) or {}
        assert {key: now[key] for key in was if key != ANNOTATION} == {key: was[key] for key in was if key != ANNOTATION}
    others = [one for one in after["spec"]["containers"] if one["name"] != "exeunt" or name in UNTOUCHED]
    assert others == before["spec"]["containers"]
    added = {"containers", "volumes", "shareProcessNamespace"}
    rest = [{key: value for key, value in pod["spec"].items() if key not in added} for pod in (before, after)]
    assert rest[0] == rest[1]


@pytest.mark.parametrize("name", UNTOUCHED)
def test_an_untouched_pod_is_the_same_to_the_last_object_and_only_doubt_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hook, "settings_or_none", lambda: Settings(placement="native"))
    pod = vectors.pod(name)
    metadata, spec, text = pod.metadata, pod.spec, yaml.safe_dump(vectors.plain(pod))
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        hook.pod_mutation_hook(pod)
    assert pod.metadata is metadata
    assert pod.spec is spec
    assert yaml.safe_dump(vectors.plain(pod)) == text
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == (UNTOUCHED[name] == "in-doubt")
    assert all(f"pod {pod.metadata.name} as it is: " in warning for warning in warnings)
