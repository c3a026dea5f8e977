"""A policy can make the API server panic for every pod that matches, whatever its failurePolicy is. Ours must never."""

import copy
import re

import pytest

from chart.programs import Resource
from inject.test_options import job
from policy.server import Server

FIRST_WITHOUT_PANIC = (1, 37)

# A list of typed objects as the value of a patch.
TRAP = """[
  JSONPatch{op: "add", path: "/spec/initContainers", value: [Object.spec.initContainers{name: "exeunt", image: "agent"}]}
]"""
# The same list, but of maps: this is how the policy writes it.
MAPS = """[
  JSONPatch{op: "add", path: "/spec/initContainers", value: [dyn({"name": "exeunt", "image": "agent"})]}
]"""


def with_patch(policies: list[Resource], expression: str) -> list[Resource]:
    """The policies with another patch."""
    policies = copy.deepcopy(policies)
    (policy,) = [one for one in policies if one["kind"] == "MutatingAdmissionPolicy"]
    policy["spec"]["mutations"] = [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}]
    policy["spec"]["failurePolicy"] = "Ignore"
    return policies


def test_a_list_of_typed_objects_makes_an_older_api_server_panic(server: Server) -> None:
    (created,) = server.create(with_patch(server.policies(), TRAP), [job()])
    assert ("structpb" in created.panic) is (server.version < FIRST_WITHOUT_PANIC)
    assert bool(created.pod) is not bool(created.panic)


def test_a_list_of_maps_does_not(server: Server) -> None:
    (created,) = server.create(with_patch(server.policies(), MAPS), [job()])
    assert [one["name"] for one in created.stored["spec"]["initContainers"]] == ["exeunt"]


@pytest.mark.parametrize("values", [{}, {"pods": {"proxy": "keep", "placement": "regular"}, "plugin": {"source": "configMap"}}])
def test_the_policy_has_no_typed_objects(values: dict[str, dict[str, str]], server: Server) -> None:
    for policy in server.policies(**values):
        assert re.findall(r"\bObject\b", str(policy["spec"])) == []
