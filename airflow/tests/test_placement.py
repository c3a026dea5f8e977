"""Native or regular, and what is asked of the cluster for it."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration, V1Container

import vectors
from exeunt_airflow import log, placement
from exeunt_airflow.placement import Clusters, choose, parsed
from exeunt_airflow.settings import Settings
from world.airflow import kubeconfig
from world.api import ApiServer
from world.slots import configure


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    log.warn_once.cache_clear()
    yield
    log.warn_once.cache_clear()


class Cluster:
    """Answers with versions or errors in turn, and counts."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, which: str) -> Any:
        """The next answer; the last one is repeated."""
        self.asked.append(which)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def placed(cluster: Cluster, name: str = "executor-worker", **settings: Any) -> str:
    return choose(vectors.pod(name), Settings(**settings), Clusters(cluster))


@pytest.mark.parametrize(
    ("version", "expected"), [((1, 31), "regular"), ((1, 32), "native"), ((1, 36), "native"), ((2, 0), "native")]
)
def test_auto_is_native_where_no_node_can_be_too_old_for_it(version: Any, expected: str) -> None:
    assert placed(Cluster(version)) == expected


@pytest.mark.parametrize("word", ["native", "regular"])
def test_a_placement_that_is_said_is_not_asked_for(word: Any) -> None:
    cluster = Cluster((1, 20))
    assert placed(cluster, placement=word) == word
    assert cluster.asked == []


def test_a_cluster_is_asked_once() -> None:
    cluster = Cluster((1, 33))
    clusters = Clusters(cluster)
    for _ in range(3):
        assert choose(vectors.pod("executor-worker"), Settings(), clusters) == "native"
    assert cluster.asked == ["executor"]


def test_the_operator_of_a_worker_asks_its_own_cluster_and_one_with_a_kubeconfig_none() -> None:
    cluster = Cluster((1, 33))
    pod = vectors.pod("kpo-plain")
    assert choose(pod, Settings(), Clusters(cluster)) == "regular"
    assert cluster.asked == []
    pod.metadata.labels["airflow_kpo_in_cluster"] = "True"
    assert choose(pod, Settings(), Clusters(cluster)) == "native"
    assert cluster.asked == ["own"]


def test_without_an_answer_it_is_regular_told_once_and_asked_again_five_minutes_later(caplog: pytest.LogCaptureFixture) -> None:
    cluster, now = Cluster(TimeoutError("no answer"), (1, 33)), [0.0]
    clusters = Clusters(cluster, clock=lambda: now[0])
    pod = vectors.pod("executor-worker")
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        assert [choose(pod, Settings(), clusters) for _ in range(3)] == ["regular"] * 3
    assert len(cluster.asked) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "[exeunt] placement is auto, and the cluster's version could not be learnt (TimeoutError: no answer): regular for now"
    ]
    now[0] = 300.0
    assert choose(pod, Settings(), clusters) == "native"


def test_a_client_that_cannot_say_restart_policy_of_a_container_means_regular(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: kind for name, kind in V1Container.openapi_types.items() if name != "restart_policy"}
    monkeypatch.setattr(V1Container, "openapi_types", without)
    assert placed(Cluster((1, 33))) == "regular"
    assert placed(Cluster((1, 33)), placement="native") == "regular"


@pytest.mark.parametrize(("text", "version"), [("1.29", (1, 29)), ("1.30+", (1, 30))])
def test_versions_as_clusters_tell_them(text: str, version: Any) -> None:
    assert parsed(text) == version


def test_no_version_is_made_out_of_anything_else() -> None:
    with pytest.raises(ValueError, match=r"'v1\.x' is no version of Kubernetes"):
        parsed("v1.x")


def test_an_api_server_that_never_answers_is_given_up_and_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "_TIMEOUT_S", (0.05, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(placement, "_configuration", lambda _: configuration)
        assert Clusters(placement.ask_cluster).version_for(vectors.pod("executor-worker")) is None
        silent.settimeout(1)
        silent.accept()[0].close()
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()


@pytest.mark.parametrize("version", ["1.33", "1.31"])
def test_the_executors_cluster_is_asked_by_the_executors_own_settings(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ApiServer(version) as api:
        for name, value in configure(kubeconfig(tmp_path, api.url), str(tmp_path)).items():
            monkeypatch.setenv(name, value)
        expected = "native" if version == "1.33" else "regular"
        assert choose(vectors.pod("executor-worker"), Settings(), Clusters(placement.ask_cluster)) == expected


def test_outside_of_any_cluster_it_is_regular(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    pod = vectors.pod("kpo-plain")
    pod.metadata.labels["airflow_kpo_in_cluster"] = "True"
    assert choose(pod, Settings(), Clusters(placement.ask_cluster)) == "regular"
