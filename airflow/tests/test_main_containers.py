"""Which containers the agent watches, and what it is told of each."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration, V1Container, V1PodSpec

import vectors
from exeunt_airflow import main_containers
from exeunt_airflow.container_names import AGENT, ENDLESS_HELPERS, PROXY, XCOM_HELPER
from exeunt_airflow.main_containers import MainContainer
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.settings import Settings
from exeunt_airflow.unchanged import NeedsAttention
from harness import paths

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "airflow.md"
RULES = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]


def found(*containers: Any, more_helpers: tuple[str, ...] = (), told: str = "") -> tuple[MainContainer, ...]:
    """The main containers of a pod with these containers, and with that annotation."""
    names = main_containers.named({main_containers.ANNOTATION: told})
    return main_containers.find(V1PodSpec(containers=list(containers)), names, more_helpers, Configuration())


def named(*names: str) -> list[V1Container]:
    """Containers with these names."""
    return [V1Container(name=name) for name in names]


def test_every_container_but_the_proxy_and_the_helpers_is_a_main_one() -> None:
    containers = named("base", PROXY, *ENDLESS_HELPERS, "cache", "log-shipper")
    assert [one.name for one in found(*containers)] == ["base", "cache", "log-shipper"]
    assert [one.name for one in found(*containers, more_helpers=("log-shipper",))] == ["base", "cache"]


def test_the_setting_names_more_helpers() -> None:
    pod = vectors.pod("second-container")
    mutation_of(pod, Settings(endless_helpers=("cache",)), lambda _: vectors.CLASSIC).apply(pod)
    assert pod.spec.init_containers[0].args[:4] == ["watch", "--container", "base", "--placement"]


def test_the_pod_names_its_main_containers_itself() -> None:
    containers = named("base", "cache", "vault-agent")
    assert [one.name for one in found(*containers, told=" cache,vault-agent , ")] == ["cache", "vault-agent"]
    assert [one.name for one in found(*containers, told=" , ")] == ["base", "cache"]


def test_a_pod_that_names_a_container_it_has_not_stays_unchanged() -> None:
    with pytest.raises(NeedsAttention, match=r"its annotation exeunt\.dev/container names 'bsae': it has no such container"):
        found(*named("base"), told="base, bsae")


def test_a_pod_of_helpers_only_stays_unchanged_with_the_reason() -> None:
    with pytest.raises(NeedsAttention, match=f"its containers are {XCOM_HELPER}, log-shipper"):
        found(*named(XCOM_HELPER, "log-shipper"), more_helpers=("log-shipper",))


def test_a_mapping_in_the_list_of_containers_is_read_as_the_api_server_reads_it() -> None:
    mapping = {"name": "second", "restartPolicy": "Never", "restartPolicyRules": RULES}
    first, second = found(*named("base"), mapping)
    assert first == MainContainer("base", None, None)
    assert (second.name, second.restart_policy) == ("second", "Never")
    assert json.loads(second.restart_rules or "") == RULES


def test_a_pod_with_mappings_among_its_containers_gets_its_agent() -> None:
    pod = vectors.pod("kpo-plain")
    pod.spec.containers.append({"name": "second", "image": "x", "restartPolicy": "OnFailure"})
    pod.spec.init_containers = [{"name": "prepare", "image": "x"}]
    mutation_of(pod, vectors.SETTINGS, lambda _: vectors.CLASSIC).apply(pod)
    agent, prepare = pod.spec.init_containers
    words = agent.args
    assert words[:5] == ["watch", "--container", "base", "--container", "second"]
    assert words[words.index("--state-dir") - 2 : words.index("--state-dir")] == ["--restart-policy", "second=OnFailure"]
    assert prepare == {"name": "prepare", "image": "x"}


def test_a_client_that_does_not_know_the_fields_tells_nothing() -> None:
    class OldContainer:
        name = "base"

    assert found(OldContainer()) == (MainContainer("base", None, None),)


def test_the_guide_names_the_helpers() -> None:
    text = GUIDE.read_text()
    assert ENDLESS_HELPERS
    assert [helper for helper in ENDLESS_HELPERS if f"`{helper}`" not in text] == []


def arguments() -> set[tuple[str, ...]]:
    """The different arguments of the agent in all files."""
    found = set()
    for path in vectors.FOLDER.glob("*.out.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        (agent,) = [one for one in [*spec["containers"], *spec.get("initContainers", [])] if one["name"] == AGENT]
        found.add(tuple(agent["args"]))
    return found


@pytest.mark.parametrize("words", sorted(arguments()), ids=" ".join)
def test_the_agent_takes_every_argument(words: tuple[str, ...]) -> None:
    said = subprocess.run([paths.agent(), *words, "--explain"], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said
    # A mistake in an option is named so.
    assert "is not allowed" not in said.stdout + said.stderr
    assert "is not known" not in said.stdout + said.stderr
