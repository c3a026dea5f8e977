"""The pods in vectors/: some were built by the real Airflow, and each of the others stands for one rule."""

import logging

import pytest
import yaml

import vectors
from exeunt_airflow import hook, xcom
from exeunt_airflow.container_names import AGENT
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.placement import Placed
from exeunt_airflow.proxy_config import ANNOTATION
from exeunt_airflow.settings import Settings
from exeunt_airflow.unchanged import NotApplicable
from real_airflow.hook_settings import use_settings
from vectors import NAMES, SUFFIXES

UNCHANGED = vectors.load("unchanged.yaml")
CHANGED = [name for name in NAMES if name not in UNCHANGED]


@pytest.mark.parametrize("placed", SUFFIXES)
@pytest.mark.parametrize("name", CHANGED)
def test_a_pod_gets_its_agent_as_in_the_file(name: str, placed: Placed) -> None:
    expected = vectors.load(f"{name}{SUFFIXES[placed]}")
    assert vectors.comparable(vectors.outcome(name, placed)) == vectors.comparable(expected)


@pytest.mark.parametrize("placed", SUFFIXES)
@pytest.mark.parametrize("name", UNCHANGED)
def test_a_pod_stays_unchanged_for_the_reason_in_the_file(name: str, placed: Placed) -> None:
    assert vectors.outcome(name, placed) == UNCHANGED[name]


def test_every_pod_after_the_hook_belongs_to_a_pod_before_it() -> None:
    expected = {f"{name}{suffix}" for name in CHANGED for suffix in SUFFIXES.values()}
    assert {path.name for path in vectors.FOLDER.glob("*.out.yaml")} == expected


@pytest.mark.parametrize("placed", SUFFIXES)
@pytest.mark.parametrize("name", CHANGED)
def test_a_second_hook_changes_nothing(name: str, placed: Placed) -> None:
    pod = vectors.with_agent(name, placed)
    with pytest.raises(NotApplicable, match="it already has an agent"):
        mutation_of(pod, vectors.SETTINGS, lambda _: placed)


@pytest.mark.parametrize("name", NAMES)
def test_the_hook_keeps_everything_of_airflow_and_of_the_user(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_settings(monkeypatch, Settings(placement="regular"))
    monkeypatch.setattr(xcom, "check", lambda _: None)
    before, pod = vectors.plain(vectors.pod(name)), vectors.pod(name)
    hook.pod_mutation_hook(pod)
    after = vectors.plain(pod)
    for part in ("labels", "annotations"):
        was, now = before["metadata"].get(part) or {}, after["metadata"].get(part) or {}
        assert {key: now[key] for key in was if key != ANNOTATION} == {key: was[key] for key in was if key != ANNOTATION}
    others = [one for one in after["spec"]["containers"] if one["name"] != AGENT or name in UNCHANGED]
    assert others == before["spec"]["containers"]
    may_change = {"containers", "volumes", "shareProcessNamespace"}
    rest = [{key: value for key, value in pod["spec"].items() if key not in may_change} for pod in (before, after)]
    assert rest[0] == rest[1]


@pytest.mark.parametrize("name", UNCHANGED)
def test_an_unchanged_pod_keeps_its_objects_and_only_needs_attention_is_a_warning(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_settings(monkeypatch, Settings(placement="native"))
    pod = vectors.pod(name)
    metadata, spec, text = pod.metadata, pod.spec, yaml.safe_dump(vectors.plain(pod))
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        hook.pod_mutation_hook(pod)
    assert pod.metadata is metadata
    assert pod.spec is spec
    assert yaml.safe_dump(vectors.plain(pod)) == text
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == (UNCHANGED[name] == "needs-attention")
    assert all(warning.startswith(f"exeunt leaves pod {pod.metadata.name} unchanged: ") for warning in warnings)
