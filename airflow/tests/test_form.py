"""The form of a pod, and what the hook asks the cluster to decide it."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration, V1Container

import vectors
from exeunt_airflow import cluster_version, log
from exeunt_airflow.cluster_version import ClusterVersions, Version, ask, parse
from exeunt_airflow.form import NATIVE_PROXY, choose
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.settings import Settings
from fake_kubernetes.api_server import ApiServer
from real_airflow.cluster_access import executor_environment


@pytest.fixture(autouse=True)
def _warn_again() -> Iterator[None]:
    log.warn_once.cache_clear()
    yield
    log.warn_once.cache_clear()


class Cluster:
    """Answers with these versions or errors, one after the other, and then always with the last one."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []

    def __call__(self, which: str) -> Version:
        """The next answer."""
        self.requests.append(which)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        version: Version = answer
        return version


def form(cluster: Cluster, name: str = "executor-worker", *, annotation: str | None = None, **settings: Any) -> str:
    """The form as two words: of the proxy, and of the agent."""
    pod = vectors.pod(name)
    if annotation is not None:
        pod.metadata.annotations = (pod.metadata.annotations or {}) | {NATIVE_PROXY: annotation}
    chosen = choose(pod, Settings(**settings), ClusterVersions(cluster))
    return f"{chosen.proxy} {chosen.agent}"


@pytest.mark.parametrize(
    ("version", "expected"),
    [((1, 31), "classic regular"), ((1, 32), "native native"), ((1, 36), "native native"), ((2, 0), "native native")],
)
def test_auto_is_native_if_no_node_and_no_istio_can_be_too_old(version: Any, expected: str) -> None:
    assert form(Cluster(version)) == expected


@pytest.mark.parametrize(
    ("proxy", "placement", "old", "unknown", "middle", "new"),
    [
        ("auto", "auto", "classic regular", "classic regular", "classic regular", "native native"),
        ("auto", "native", "classic regular", "classic native", "classic native", "native native"),
        ("auto", "regular", "classic regular", "classic regular", "classic regular", "native regular"),
        ("native", "auto", "classic regular", "native native", "native native", "native native"),
        ("native", "native", "classic regular", "native native", "native native", "native native"),
        ("native", "regular", "classic regular", "native regular", "native regular", "native regular"),
        ("keep", "auto", "classic regular", "classic regular", "classic regular", "classic native"),
        ("keep", "native", "classic native", "classic native", "classic native", "classic native"),
        ("keep", "regular", "classic regular", "classic regular", "classic regular", "classic regular"),
    ],
)
def test_the_form_for_each_setting_and_each_cluster(
    proxy: str, placement: str, old: str, unknown: str, middle: str, new: str
) -> None:
    answers = {(1, 28): old, TimeoutError("no answer"): unknown, (1, 31): middle, (1, 33): new}
    for answer, expected in answers.items():
        assert form(Cluster(answer), proxy=proxy, placement=placement) == expected, answer


@pytest.mark.parametrize(
    ("answer", "placement", "policy"),
    [
        ((1, 34), "regular", None),
        ((1, 35), "regular", "OnFailure"),
        ((2, 0), "regular", "OnFailure"),
        (TimeoutError("no answer"), "regular", None),
        ((1, 35), "native", "Always"),
        ((1, 28), "auto", None),
    ],
)
def test_kubelet_restarts_a_regular_agent_that_was_killed_where_a_container_can_have_a_policy(
    answer: Any, placement: str, policy: str | None
) -> None:
    pod = vectors.pod("executor-worker")
    settings = Settings(placement=placement)  # type: ignore[arg-type]
    clusters = ClusterVersions(Cluster(answer))
    mutation_of(pod, settings, lambda pod: choose(pod, settings, clusters)).apply(pod)
    (agent,) = [one for one in [*pod.spec.containers, *(pod.spec.init_containers or [])] if one.name == "exeunt"]
    assert agent.restart_policy == policy


@pytest.mark.parametrize("placement", ["native", "regular"])
def test_a_configured_form_needs_no_request_if_every_cluster_can_have_it(placement: Any) -> None:
    cluster = Cluster((1, 20))
    assert form(cluster, proxy="keep", placement=placement) == f"classic {placement}"
    assert cluster.requests == []


def test_a_cluster_without_native_sidecars_gets_the_classic_form_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        assert [form(Cluster((1, 28)), proxy="native") for _ in range(2)] == ["classic regular"] * 2
    assert [record.getMessage() for record in caplog.records] == [
        "[exeunt] native is configured, but Kubernetes 1.28 has no native sidecars: classic, and regular"
    ]


@pytest.mark.parametrize(
    ("annotation", "expected"), [("true", "native native"), ("false", "classic native"), ("True", "classic native")]
)
def test_what_the_pod_says_about_its_proxy_counts_more_than_the_setting(annotation: str, expected: str) -> None:
    for proxy in ("auto", "native", "keep"):
        assert form(Cluster((1, 33)), annotation=annotation, proxy=proxy) == expected


@pytest.mark.parametrize("annotation", ["true", "false"])
def test_the_hook_leaves_the_annotation_of_the_user_as_it_is(annotation: str) -> None:
    pod = vectors.pod("kpo-plain")
    pod.metadata.annotations = {NATIVE_PROXY: annotation}
    clusters = ClusterVersions(Cluster((1, 28)))
    mutation_of(pod, vectors.SETTINGS, lambda pod: choose(pod, Settings(), clusters)).apply(pod)
    assert pod.metadata.annotations[NATIVE_PROXY] == annotation


def test_each_cluster_is_asked_once() -> None:
    cluster = Cluster((1, 33))
    clusters = ClusterVersions(cluster)
    for _ in range(3):
        assert choose(vectors.pod("executor-worker"), Settings(), clusters) == vectors.NATIVE
    assert cluster.requests == ["executor"]


def test_a_pod_of_an_operator_is_for_its_own_cluster_unless_it_has_a_kubeconfig() -> None:
    cluster = Cluster((1, 33))
    pod = vectors.pod("kpo-plain")
    assert choose(pod, Settings(), ClusterVersions(cluster)) == vectors.REGULAR
    assert cluster.requests == []
    pod.metadata.labels["airflow_kpo_in_cluster"] = "True"
    assert choose(pod, Settings(), ClusterVersions(cluster)) == vectors.NATIVE
    assert cluster.requests == ["own"]


def test_without_an_answer_it_is_classic_with_one_warning_and_a_second_request_after_five_minutes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster, now = Cluster(TimeoutError("no answer"), (1, 33)), [0.0]
    clusters = ClusterVersions(cluster, clock=lambda: now[0])
    pod = vectors.pod("executor-worker")
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        assert [choose(pod, Settings(), clusters) for _ in range(3)] == [vectors.REGULAR] * 3
    assert len(cluster.requests) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "[exeunt] the cluster does not tell its version (TimeoutError: no answer): it counts as older than 1.32 for now"
    ]
    now[0] = 300.0
    assert choose(pod, Settings(), clusters) == vectors.NATIVE


def test_without_an_answer_there_is_no_warning_if_native_is_configured(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        for placement in ("auto", "native"):
            assert form(Cluster(TimeoutError("no answer")), proxy="native", placement=placement) == "native native"
    assert caplog.records == []


def test_with_a_client_without_restart_policy_for_containers_it_is_regular(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: kind for name, kind in V1Container.openapi_types.items() if name != "restart_policy"}
    monkeypatch.setattr(V1Container, "openapi_types", without)
    for settings in ({}, {"placement": "native"}, {"proxy": "native"}):
        assert form(Cluster((1, 33)), **settings) == "classic regular"


@pytest.mark.parametrize(("text", "version"), [("1.29", (1, 29)), ("1.30+", (1, 30))])
def test_versions_as_clusters_write_them(text: str, version: Any) -> None:
    assert parse(text) == version


def test_any_other_text_is_not_a_version() -> None:
    with pytest.raises(ValueError, match=r"'v1\.x' is not a version of Kubernetes"):
        parse("v1.x")


def test_an_api_server_that_does_not_answer_gets_only_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_version, "_TIMEOUT_S", (0.05, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(cluster_version, "_configuration", lambda _: configuration)
        assert ClusterVersions(ask).version_for(vectors.pod("executor-worker"), needed=True) is None
        silent.settimeout(1)
        silent.accept()[0].close()
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.parametrize("version", ["1.33", "1.31"])
def test_the_executors_cluster_is_found_by_the_executors_settings(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ApiServer(version) as api:
        for name, value in executor_environment(tmp_path, api.url).items():
            monkeypatch.setenv(name, value)
        expected = vectors.NATIVE if version == "1.33" else vectors.REGULAR
        assert choose(vectors.pod("executor-worker"), Settings(), ClusterVersions(ask)) == expected


def test_outside_of_a_cluster_it_is_classic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    pod = vectors.pod("kpo-plain")
    pod.metadata.labels["airflow_kpo_in_cluster"] = "True"
    assert choose(pod, Settings(), ClusterVersions(ask)) == vectors.REGULAR
