"""The hook applies all of its changes or none, and it never raises an exception into Airflow."""

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import V1ObjectMeta, V1Pod, V1PodSpec, V1ResourceRequirements

import vectors
from exeunt_airflow import agent_container, log, pod_mutation_hook
from exeunt_airflow.form import Form
from exeunt_airflow.main_containers import MainContainer
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.settings import Settings
from exeunt_airflow.unchanged import NotApplicable
from real_airflow.hook_settings import use_settings

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "airflow.md"


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    use_settings(monkeypatch, Settings(proxy="keep", placement="native"))


class UnexpectedError(Exception):
    """An error that the hook does not expect."""


@pytest.mark.parametrize("function", ["container", "volume"])
def test_after_an_error_in_exeunt_the_pod_is_unchanged(
    function: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise UnexpectedError

    monkeypatch.setattr(agent_container, function, fail)
    pod = vectors.pod("kpo-plain")
    before = copy.deepcopy(vectors.plain(pod))
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod_mutation_hook(pod)
    assert vectors.plain(pod) == before
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is UnexpectedError


@pytest.mark.parametrize(
    "argument", [None, 7, {"kind": "Pod"}, V1Pod(), V1Pod(metadata=V1ObjectMeta(name="a"), spec=None), "pod without containers"]
)
def test_it_never_raises(argument: Any, caplog: pytest.LogCaptureFixture) -> None:
    if isinstance(argument, str):
        argument = V1Pod(metadata=V1ObjectMeta(name="a"), spec=V1PodSpec(containers=[]))
    before = copy.deepcopy(argument)
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod_mutation_hook(argument)
    assert argument == before
    assert len(caplog.records) == 1


def test_the_guide_quotes_the_warning(caplog: pytest.LogCaptureFixture) -> None:
    pod = vectors.pod("host-pid")
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod_mutation_hook(pod)
    (record,) = caplog.records
    words, _, reason = record.getMessage().replace(pod.metadata.name, "…").partition(": ")
    assert reason
    assert f"`{words}: …`" in GUIDE.read_text()


@pytest.mark.parametrize("settings", [None, Settings(enabled=False)])
def test_it_changes_nothing_when_it_is_off(settings: Settings | None, monkeypatch: pytest.MonkeyPatch) -> None:
    use_settings(monkeypatch, settings)
    pod = vectors.pod("kpo-plain")
    pod_mutation_hook(pod)
    assert vectors.plain(pod) == vectors.plain(vectors.pod("kpo-plain"))


def changed(name: str, form: Form = vectors.CLASSIC, **settings: Any) -> Any:
    """The pod after the hook with these settings."""
    pod = vectors.pod(name)
    mutation_of(pod, Settings(**settings), lambda _: form).apply(pod)
    return vectors.plain(pod)


def test_with_opt_in_only_a_pod_with_the_label_gets_an_agent() -> None:
    assert changed("asks-for-it", mode="opt-in")["spec"]["shareProcessNamespace"] is True
    with pytest.raises(NotApplicable):
        changed("kpo-plain", mode="opt-in")


def test_only_pods_of_the_configured_namespaces_get_an_agent() -> None:
    assert changed("kpo-plain", namespaces=("airflow",))["spec"]["shareProcessNamespace"] is True
    with pytest.raises(NotApplicable, match="namespace airflow is not in"):
        changed("kpo-plain", namespaces=("jobs",))


def test_with_a_service_entry_the_pod_needs_no_signal_port() -> None:
    config = vectors.comparable(changed("kpo-plain", signal_route="service-entry"))["metadata"]["annotations"]
    assert config["proxy.istio.io/config"] == {"proxyMetadata": {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}}
    annotations = changed("kpo-plain", vectors.NATIVE, signal_route="service-entry")["metadata"]["annotations"]
    assert annotations == {"sidecar.istio.io/nativeSidecar": "true"}


def test_the_agent_gets_the_settings() -> None:
    given = {
        "image": "mirror/agent:1",
        "image_pull_policy": "Always",
        "image_pull_secrets": ("mirror",),
        "drain_timeout": "90s",
        "signal_port": 15999,
        "cpu_request": "5m",
        "memory_request": "8Mi",
        "memory_limit": "32Mi",
    }
    pod = changed("kpo-plain", **given)
    (agent,) = pod["spec"]["initContainers"]
    assert (agent["image"], agent["imagePullPolicy"]) == ("mirror/agent:1", "Always")
    assert agent["args"][-4:] == ["--signal-port", "15999", "--drain-timeout", "90s"]
    assert agent["resources"] == {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}}
    assert pod["spec"]["imagePullSecrets"] == [{"name": "mirror"}]
    config = vectors.comparable(pod)["metadata"]["annotations"]["proxy.istio.io/config"]
    assert config["proxyMetadata"]["ISTIO_META_HTTP_PROXY_PORT"] == "15999"


PROBE = {"exec": {"command": ["/exeunt-agent", "--version"]}, "periodSeconds": 60}


def test_the_agents_container_is_fully_adjustable() -> None:
    given = {
        "uid": None,
        "seccomp": "none",
        "cpu_limit": "100m",
        "labels": (("team", "data"), ("dag_id", "other")),
        "arguments": ("--stall-timeout", "30s"),
        "probes": (("liveness_probe", PROBE),),
    }
    before, pod = vectors.plain(vectors.pod("kpo-plain")), changed("kpo-plain", vectors.NATIVE, **given)
    (agent,) = pod["spec"]["initContainers"]
    assert agent["args"][-2:] == ["--stall-timeout", "30s"]
    assert agent["livenessProbe"] == PROBE
    assert agent["resources"]["limits"] == {"cpu": "100m", "memory": "16Mi"}
    assert agent["securityContext"] == {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    # The pod's own label counts first.
    added = {"team": "data", "exeunt.dev/drain": "on"}
    assert pod["metadata"]["labels"].items() >= (before["metadata"]["labels"] | added).items()


NONE = {"cpu_request": None, "cpu_limit": None, "memory_request": None, "memory_limit": None}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, None),
        ({"cpu_request": "5m"}, {"requests": {"cpu": "5m"}}),
        ({"memory_limit": "32Mi"}, {"limits": {"memory": "32Mi"}}),
    ],
)
def test_each_request_and_limit_can_be_none(told: dict[str, str], expected: Any) -> None:
    (agent,) = changed("kpo-plain", vectors.NATIVE, **(NONE | told))["spec"]["initContainers"]
    assert agent.get("resources") == expected


@pytest.mark.parametrize(("whole", "own"), [({}, True), ({"limits": {}}, True), ({"requests": {"cpu": "1"}}, False)])
def test_an_agent_in_a_pod_with_resources_of_its_own_has_none(whole: dict[str, Any], own: bool) -> None:
    pod = vectors.pod("kpo-plain")
    if "resources" not in pod.spec.openapi_types:
        pytest.skip("this Kubernetes client has dropped them before the hook gets the pod")
    pod.spec.resources = V1ResourceRequirements(**whole)
    mutation_of(pod, Settings(), lambda _: vectors.NATIVE).apply(pod)
    assert (pod.spec.init_containers[0].resources is not None) is own


def test_the_agent_gets_the_settings_also_if_kubelet_tells_the_end_of_the_task() -> None:
    pod = changed("kpo-plain", vectors.NATIVE, image="mirror/agent:1", drain_timeout="20s", signal_port=15999)
    (agent,) = pod["spec"]["initContainers"]
    assert agent["image"] == "mirror/agent:1"
    assert agent["args"] == ["watch", "--placement", "native", "--signal-port", "15999", "--drain-timeout", "20s"]


def test_a_regular_agent_beside_a_native_proxy_shares_processes() -> None:
    # The grace period does not limit such a drain: no SIGTERM comes before the agent has left.
    pod = changed("kpo-plain", Form("native", "regular"), drain_timeout="10m")
    assert pod["metadata"]["annotations"]["sidecar.istio.io/nativeSidecar"] == "true"
    assert pod["spec"]["shareProcessNamespace"] is True
    assert pod["spec"]["containers"][0]["args"][:5] == ["watch", "--container", "base", "--placement", "regular"]
    assert "terminationGracePeriodSeconds" not in pod["spec"]


@pytest.mark.parametrize(
    ("name", "drain_timeout", "grace_period", "arguments"),
    [
        ("kpo-plain", "", None, []),
        ("kpo-plain", "28s", None, ["--drain-timeout", "28s"]),
        ("kpo-plain", "28500ms", 31, ["--grace-period", "31s", "--drain-timeout", "28500ms"]),
        ("kpo-plain", "5m", 302, ["--grace-period", "302s", "--drain-timeout", "5m"]),
        ("long-grace", "", 300, ["--grace-period", "300s"]),
        ("long-grace", "90s", 300, ["--grace-period", "300s", "--drain-timeout", "90s"]),
        ("long-grace", "10m", 602, ["--grace-period", "602s", "--drain-timeout", "10m"]),
    ],
)
def test_the_grace_period_is_passed_on_and_raised_only_for_a_configured_drain_timeout(
    name: str, drain_timeout: str, grace_period: int | None, arguments: list[str]
) -> None:
    spec = changed(name, vectors.NATIVE, drain_timeout=drain_timeout)["spec"]
    assert spec.get("terminationGracePeriodSeconds") == grace_period
    assert spec["initContainers"][0]["args"] == ["watch", "--placement", "native", *arguments]
    # Without kubelet's word the drain begins before any SIGTERM.
    classic = changed(name, vectors.CLASSIC, drain_timeout=drain_timeout)["spec"]
    assert classic.get("terminationGracePeriodSeconds") == vectors.plain(vectors.pod(name))["spec"].get(
        "terminationGracePeriodSeconds"
    )


@pytest.mark.parametrize(
    ("name", "settings", "seconds"),
    [
        ("kpo-plain", {"grace_period": 60}, 60),
        ("kpo-plain", {"grace_period": 20}, None),
        ("kpo-plain", {"grace_period": 60, "drain_timeout": "2m"}, 122),
        ("long-grace", {"grace_period": 60}, 300),
    ],
)
def test_the_grace_period_is_raised_for_pods_beside_native_proxies(
    name: str, settings: dict[str, Any], seconds: int | None
) -> None:
    assert changed(name, vectors.NATIVE, **settings)["spec"].get("terminationGracePeriodSeconds") == seconds
    before = vectors.plain(vectors.pod(name))["spec"].get("terminationGracePeriodSeconds")
    assert changed(name, vectors.CLASSIC, **settings)["spec"].get("terminationGracePeriodSeconds") == before


@pytest.mark.parametrize(("seconds", "argument"), [(0, "1s"), (29, "29s"), (1_000_000, "86400s")])
def test_the_agent_gets_a_grace_period_that_it_accepts(seconds: int, argument: str) -> None:
    pod = vectors.pod("kpo-plain")
    pod.spec.termination_grace_period_seconds = seconds
    mutation_of(pod, Settings(), lambda _: vectors.NATIVE).apply(pod)
    assert pod.spec.init_containers[0].args[-2:] == ["--grace-period", argument]
    assert pod.spec.termination_grace_period_seconds == seconds


def test_a_raised_grace_period_is_logged_once_with_its_price(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log.warn_once.cache_clear()
    use_settings(monkeypatch, Settings(proxy="native", drain_timeout="2m"))
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        for _ in range(3):
            pod = vectors.pod("kpo-plain")
            pod_mutation_hook(pod)
            assert pod.spec.termination_grace_period_seconds == 122
        pod_mutation_hook(vectors.pod("long-grace"))
    (record,) = caplog.records
    assert record.getMessage().startswith("[exeunt] the settings raise the terminationGracePeriodSeconds of pods to 122: ")
    assert "a pod that is deleted while its task runs can take as long to end" in record.getMessage()


@pytest.mark.parametrize(("provider", "expected"), [("8.0.1", False), ("10.4.2", False), ("10.4.3", True), ("10.25.0", True)])
def test_a_pod_with_xcom_is_unchanged_if_the_provider_could_not_end_the_helper(
    provider: str, expected: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: provider)
    pod = vectors.pod("kpo-xcom")
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod_mutation_hook(pod)
    assert bool(pod.spec.share_process_namespace) is expected
    words = f"cncf-kubernetes {provider} cannot end in a pod with an agent: 10.4.3 or newer can"
    assert [words in record.getMessage() for record in caplog.records] == ([] if expected else [True])


def test_a_pod_with_xcom_that_shares_no_processes_gets_an_agent_on_every_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "8.0.1")
    use_settings(monkeypatch, Settings(proxy="native"))
    pod = vectors.pod("kpo-xcom")
    pod_mutation_hook(pod)
    assert [one.name for one in pod.spec.init_containers] == ["exeunt"]


def test_airflows_search_for_a_shell_does_not_find_the_agent() -> None:
    # Airflow runs `pgrep -f sh` in the pod. Only the user can decide whether the name of a main container contains these
    # letters.
    base = MainContainer("base", "OnFailure", '[{"action": "RestartAllContainers"}]')
    for form in vectors.FORMS.values():
        main = [base] if form.shares_processes else []
        words = agent_container.arguments(vectors.pod("long-grace").spec, main, form, Settings(drain_timeout="90s"))
        assert "sh" not in " ".join(["/exeunt-agent", *words])
