"""Kyverno copies the module into the namespaces whose pods mount it."""

import pytest

from chart.programs import Resource
from kyverno.engine import HOME, NAMESPACES, Kyverno, namespace, policies

MODULE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "exeunt-module", "namespace": HOME},
    "binaryData": {"plugin.wasm": "AGFzbQEAAAA="},
}
FROM_CONFIG_MAP = {"source": "configMap"}


def with_module(*there: Resource, **pods: str) -> Kyverno:
    """Kyverno in a cluster with these objects."""
    return Kyverno(policies(plugin=FROM_CONFIG_MAP, pods=pods), list(there))


@pytest.mark.parametrize(
    ("namespaces", "expected"), [("labelled", {"airflow", "labelled"}), ("injected", {"injected", "revision"})]
)
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_the_module_is_copied_into_the_namespaces_of_the_policy(namespaces: str, expected: set[str], operation: str) -> None:
    asked = [{"operation": operation, "object": namespace(name)} for name in NAMESPACES]
    answers = with_module(MODULE, namespaces=namespaces).ask(asked)
    copies = {name: one.generated for name, one in zip(NAMESPACES, answers, strict=True) if one.generated}
    assert set(copies) == expected
    for name, found in copies.items():
        (copy,) = found
        assert copy == MODULE | {"metadata": {"name": "exeunt-module", "namespace": name}}
    assert [one.errors for one in answers] == [[]] * len(NAMESPACES)


def test_without_an_original_nothing_is_copied() -> None:
    (answer,) = with_module(MODULE | {"metadata": {"name": "other", "namespace": HOME}}).create(namespace("airflow"))
    assert answer.generated == []
    assert [error.partition(":")[0] for error in answer.errors] == ["exeunt.dev-module"]


def test_kyverno_may_change_only_this_config_map() -> None:
    (role,) = [one for one in policies(plugin=FROM_CONFIG_MAP) if one["kind"] == "ClusterRole"]
    assert role["metadata"]["labels"]["rbac.kyverno.io/aggregate-to-background-controller"] == "true"
    rights = {verb: rule.get("resourceNames") for rule in role["rules"] for verb in rule["verbs"]}
    # RBAC has no names where nothing is there yet.
    assert rights.pop("create") is None
    assert rights == {verb: ["exeunt-module"] for verb in ("get", "update", "patch", "delete")}
    assert [(rule["apiGroups"], rule["resources"]) for rule in role["rules"]] == [([""], ["configmaps"])] * 2


@pytest.mark.parametrize("source", ["oci", "imageVolume"])
def test_without_a_config_map_there_is_nothing_to_copy(source: str) -> None:
    assert {one["kind"] for one in policies(plugin={"source": source})} == {"MutatingPolicy"}
