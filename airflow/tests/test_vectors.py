"""The pods in vectors/: some were built by the real Airflow, and each of the others stands for one rule."""

import logging

import pytest
import yaml
from kubernetes.client import V1Container, V1PodSpec

import vectors
from exeunt_airflow import hook, xcom
from exeunt_airflow.container_names import AGENT
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.proxy_config import ANNOTATION
from exeunt_airflow.settings import Settings
from exeunt_airflow.unchanged import NotApplicable
from real_airflow.hook_settings import use_settings
from vectors import FORMS, NAMES, SUFFIXES

UNCHANGED = vectors.load("unchanged.yaml")
# What the hook does with each pod in each form: (form, pod).
STAYS = [(form, name) for form, names in UNCHANGED.items() for name in names]
# A pod with a field that this Kubernetes client does not know, which it drops before the hook gets the pod.
UNREADABLE = {
    name
    for name, field, model in (
        ("own-restart-rules", "restart_policy_rules", V1Container),
        ("pod-level-resources", "resources", V1PodSpec),
    )
    if field not in model.openapi_types
}
CHANGES = [(form, name) for form in FORMS for name in NAMES if (form, name) not in STAYS]


@pytest.mark.parametrize(("form", "name"), CHANGES)
def test_a_pod_gets_its_agent_as_in_the_file(form: str, name: str) -> None:
    if name in UNREADABLE:
        pytest.skip("this Kubernetes client has dropped a field before the hook gets the pod")
    expected = vectors.load(f"{name}{SUFFIXES[form]}")
    assert vectors.comparable(vectors.outcome(name, form)) == vectors.comparable(expected)


@pytest.mark.parametrize(("form", "name"), STAYS)
def test_a_pod_stays_unchanged_for_the_reason_in_the_file(form: str, name: str) -> None:
    assert vectors.outcome(name, form) == UNCHANGED[form][name]


def test_every_pod_after_the_hook_belongs_to_a_pod_before_it() -> None:
    assert set(UNCHANGED) == set(FORMS)
    expected = {f"{name}{SUFFIXES[form]}" for form, name in CHANGES}
    assert {path.name for path in vectors.FOLDER.glob("*.out.yaml")} == expected


def test_the_native_form_needs_less_of_a_pod_than_the_others() -> None:
    assert UNCHANGED["classic"] == UNCHANGED["regular"]
    assert UNCHANGED["native"].items() < UNCHANGED["classic"].items()
    assert set(UNCHANGED["classic"]) - set(UNCHANGED["native"]) == {
        "host-pid",
        "only-helpers",
        "process-namespace-not-shared",
        "volume-taken",
    }


@pytest.mark.parametrize(("form", "name"), CHANGES)
def test_a_second_hook_changes_nothing(form: str, name: str) -> None:
    pod = vectors.with_agent(name, form)
    with pytest.raises(NotApplicable, match="it already has an agent"):
        mutation_of(pod, vectors.SETTINGS, lambda _: FORMS[form])


def test_a_pod_whose_task_may_be_root_stays_unchanged_if_the_settings_say_so() -> None:
    stays = vectors.load("unless-root.yaml")
    assert vectors.unchanged_unless_root() == stays
    assert {vectors.outcome(name, "classic", vectors.UNLESS_ROOT) for name in stays} == {"needs-attention"}
    # Beside a native proxy nothing is shared, but where the agent ends helpers.
    native = {name for name in NAMES if vectors.outcome(name, "native", vectors.UNLESS_ROOT) != vectors.outcome(name, "native")}
    assert native == set(ENDS_HELPERS)


# The pods whose helpers the agent ends. For that it must see them beside a native proxy, too.
ENDS_HELPERS = ("helpers",)
# For each form: the settings that choose it, and what may change in the spec.
KEPT = {
    "native": (Settings(proxy="native"), {"initContainers"}),
    "regular": (Settings(proxy="keep", placement="regular"), {"containers", "volumes", "shareProcessNamespace"}),
}


@pytest.mark.parametrize("form", KEPT)
@pytest.mark.parametrize("name", NAMES)
def test_the_hook_keeps_everything_of_airflow_and_of_the_user(form: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, may_change = KEPT[form]
    if name in ENDS_HELPERS:
        may_change = may_change | {"volumes", "shareProcessNamespace"}
    use_settings(monkeypatch, settings)
    monkeypatch.setattr(xcom, "check", lambda _: None)
    before, pod = vectors.plain(vectors.pod(name)), vectors.pod(name)
    hook.pod_mutation_hook(pod)
    after = vectors.plain(pod)
    for part in ("labels", "annotations"):
        was, now = before["metadata"].get(part) or {}, after["metadata"].get(part) or {}
        assert {key: now[key] for key in was if key != ANNOTATION} == {key: was[key] for key in was if key != ANNOTATION}
    for part in ("containers", "initContainers"):
        was, now = before["spec"].get(part) or [], after["spec"].get(part) or []
        assert [one for one in now if one["name"] != AGENT or name in UNCHANGED[form]] == was
    rest = [{key: value for key, value in pod["spec"].items() if key not in may_change} for pod in (before, after)]
    assert rest[0] == rest[1]


@pytest.mark.parametrize(("form", "name"), STAYS)
def test_an_unchanged_pod_keeps_its_objects_and_only_needs_attention_is_a_warning(
    form: str, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_settings(monkeypatch, Settings(proxy="native" if form == "native" else "keep", placement=FORMS[form].agent))
    pod = vectors.pod(name)
    metadata, spec, text = pod.metadata, pod.spec, yaml.safe_dump(vectors.plain(pod))
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        hook.pod_mutation_hook(pod)
    assert pod.metadata is metadata
    assert pod.spec is spec
    assert yaml.safe_dump(vectors.plain(pod)) == text
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == (UNCHANGED[form][name] == "needs-attention")
    assert all(warning.startswith(f"exeunt leaves pod {pod.metadata.name} unchanged: ") for warning in warnings)
