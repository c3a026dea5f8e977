"""Nonsense in a pod or in a setting: the operator makes the pod as it would without exeunt, and the log says why."""

import logging
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import V1Container, V1EmptyDirVolumeSource, V1ObjectMeta, V1Pod, V1PodSpec, V1Volume

import vectors
from exeunt_airflow import hook
from exeunt_airflow.settings import Settings
from real_airflow.hook_settings import use_settings
from real_airflow.worker_pod import worker_pod
from test_builders import FORMS, built

_CONFIG = "proxy.istio.io/config"
_HELPER = V1Container(name="helper", image="helper:1")


def _spec(*containers: V1Container) -> dict[str, Any]:
    """The base container and these."""
    return {"full_pod_spec": V1Pod(spec=V1PodSpec(containers=[V1Container(name="base"), *containers]))}


def pod_of(folder: Path, options: dict[str, Any]) -> Any:
    """The pod that the operator builds, always with the same name."""
    return built(folder, name="t", random_name_suffix=False, **options)


def without_exeunt(folder: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same pod if exeunt is off."""
    with monkeypatch.context() as own:
        use_settings(own, Settings(enabled=False))
        return pod_of(folder, options)


# The pod, what the log says, and where the hook looks at it at all.
PODS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "a main container that it has not": (
        _spec(_HELPER) | {"annotations": {"exeunt.dev/container": "base, bsae"}},
        "its annotation exeunt.dev/container names 'bsae': it has no such container",
        ("classic", "regular"),
    ),
    "a configuration that is not YAML": ({"annotations": {_CONFIG: "{"}}, f"its annotation {_CONFIG} is not YAML", tuple(FORMS)),
    "a configuration that is a list": (
        {"annotations": {_CONFIG: "[]"}},
        f"its annotation {_CONFIG} is not a mapping",
        tuple(FORMS),
    ),
    "a label that is not known": ({"labels": {"exeunt.dev/drain": "no"}}, "must be on or off", tuple(FORMS)),
    "another volume of this name": (
        {"volumes": [V1Volume(name="exeunt", empty_dir=V1EmptyDirVolumeSource())]},
        "it has a volume named exeunt",
        ("classic", "regular"),
    ),
}


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, (_, _, forms) in PODS.items() for form in forms])
def test_a_pod_with_nonsense_is_made_without_exeunt_and_one_line_says_why(
    name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    options, reason, _ = PODS[name]
    expected = without_exeunt(tmp_path, options, monkeypatch)
    use_settings(monkeypatch, FORMS[form][0])
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        assert pod_of(tmp_path, options) == expected
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("exeunt_airflow")]
    assert line.startswith("exeunt leaves pod t unchanged: ")
    assert reason in line


def test_a_template_with_an_agent_keeps_it_and_no_line_disturbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Where the hook is in airflow_local_settings.py, too, it gets each pod twice.
    options = _spec(V1Container(name="exeunt", image="own:1"))
    expected = without_exeunt(tmp_path, options, monkeypatch)
    use_settings(monkeypatch, Settings(proxy="native"))
    with caplog.at_level(logging.DEBUG, "exeunt_airflow"):
        assert pod_of(tmp_path, options) == expected
    lines = [record for record in caplog.records if record.name.startswith("exeunt_airflow")]
    assert [(record.levelname, record.getMessage()) for record in lines] == [
        ("DEBUG", "exeunt leaves pod t unchanged: it already has an agent")
    ]


@pytest.mark.parametrize("form", ["classic", "regular"])
def test_a_pod_without_a_container_named_base_gets_its_agent(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, agents_list = FORMS[form]
    use_settings(monkeypatch, settings)
    spec = V1Pod(spec=V1PodSpec(containers=[V1Container(name="worker"), _HELPER]))
    pod = pod_of(tmp_path, {"base_container_name": "worker", "full_pod_spec": spec})
    words = pod["spec"][agents_list][0]["args"]
    assert words[:5] == ["watch", "--container", "worker", "--container", "helper"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("metadata", "containers", "level", "reason"),
    [
        ({"annotations": {_CONFIG: "a: [b"}}, (), "WARNING", f"its annotation {_CONFIG} is not YAML"),
        ({"labels": {"exeunt.dev/drain": "no"}}, (), "WARNING", "must be on or off"),
        ({}, (V1Container(name="exeunt", image="own:1"),), "DEBUG", "it already has an agent"),
    ],
    ids=["a configuration that is not YAML", "a label that is not known", "an agent already"],
)
def test_a_worker_of_the_executor_with_nonsense_is_made_without_exeunt_and_one_line_says_why(
    form: str,
    metadata: dict[str, Any],
    containers: tuple[V1Container, ...],
    level: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def made() -> Any:
        own = V1PodSpec(containers=[V1Container(name="base"), *containers])
        return vectors.plain(worker_pod("t", V1Pod(metadata=V1ObjectMeta(**metadata), spec=own)))

    use_settings(monkeypatch, Settings(enabled=False))
    expected = made()
    use_settings(monkeypatch, FORMS[form][0])
    with caplog.at_level(logging.DEBUG, "exeunt_airflow"):
        assert made() == expected
    (line,) = [record for record in caplog.records if record.name.startswith("exeunt_airflow")]
    assert (line.levelname, reason in line.getMessage()) == (level, True)


def test_a_worker_of_the_executor_is_made_without_exeunt_where_a_main_container_is_named_that_it_has_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_settings(monkeypatch, FORMS["classic"][0])
    named = V1ObjectMeta(annotations={"exeunt.dev/container": "bsae"})
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod = vectors.plain(worker_pod("t", V1Pod(metadata=named, spec=V1PodSpec(containers=[V1Container(name="base")]))))
    assert [one["name"] for one in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]] == ["base"]
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["it has no such container"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("cpu_limit", "100Mi"), ("memory_request", "16MiB"), ("memory_limit", "16 megabytes"), ("cpu_request", "1c")],
)
def test_a_unit_that_kubernetes_does_not_know_is_told_and_the_pod_is_made_without_exeunt(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = without_exeunt(tmp_path, {}, monkeypatch)
    monkeypatch.setenv(f"AIRFLOW__EXEUNT__{name.upper()}", text)
    hook._loaded.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, "exeunt_airflow"):
            assert pod_of(tmp_path, {}) == expected
            # It is read and told once in a process.
            assert pod_of(tmp_path, {}) == expected
    finally:
        hook._loaded.cache_clear()
    told, off, in_the_task = [record.getMessage() for record in caplog.records if record.name.startswith("exeunt_airflow")]
    assert told.startswith(f"[exeunt] {name} is {text!r}: must be none or ")
    assert off == "exeunt is off until the mistakes in [exeunt] are corrected: pods stay unchanged"
    assert in_the_task == f"exeunt leaves every pod unchanged, because of its settings: {told}"
