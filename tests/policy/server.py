"""The API servers that judge the policies. build/tiers/policy.sh builds a program of each."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from chart.programs import CHART, Resource, helm
from inject.lines import Line

# Before it the policies are v1beta1, and the API server's administrator has to switch them on.
FIRST_WITH_V1 = (1, 36)

IMAGE = {"repository": "registry.example/exeunt-agent", "tag": "test", "pullPolicy": ""}
BOUND = {"exeunt.dev/drain": "on"}


@dataclass(frozen=True)
class Created:
    """What has become of an object: as it is stored, or why it is refused, or with what the API server has panicked."""

    pod: Resource | None
    refused: str
    panic: str
    # What kubectl prints behind `Warning: `.
    warnings: tuple[str, ...] = ()

    @property
    def stored(self) -> Resource:
        """The pod, which must have been created."""
        assert self.pod is not None, self.refused or self.panic
        return self.pod


@dataclass(frozen=True)
class Server(Line):
    """One API server."""

    TIER = "policy"
    VARIABLE = "EXEUNT_API_SERVERS"
    NEWEST = "1.37"

    def create(
        self, policies: list[Resource], objects: list[Resource], namespaces: dict[str, dict[str, str]] | None = None
    ) -> list[Created]:
        """Creates pods, Jobs and CronJobs in a cluster with these policies. Without `namespaces` each of theirs is bound."""
        named = {one["metadata"].setdefault("namespace", "default"): BOUND for one in objects} | (namespaces or {})
        asked = json.dumps({"policies": policies, "namespaces": named, "objects": objects})
        # In the worker that Airflow's chart makes the name of the release is a placeholder, which no API server takes.
        said = self.run(text=asked.replace("RELEASE-NAME", "release"))
        assert said.ok, said.err
        return [
            Created(one.get("stored"), one.get("refused", ""), one.get("panic", ""), tuple(one.get("warnings", ())))
            for one in json.loads(said.out)
        ]

    def policies(self, **values: Any) -> list[Resource]:
        """The policy and its bindings, as the chart renders them with these values for this server.

        An expression that fails is an error here, and no reason to ignore the policy.
        """
        said = rendered(self.line, json.dumps(values))
        return _strict(said, "MutatingAdmissionPolicy")

    def warning(self, **values: Any) -> list[Resource]:
        """The policy that warns, and its binding, as `policies` returns the other one."""
        given = {"inject": "none", "warn": {"enabled": True}} | values
        return _strict(rendered(self.line, json.dumps(given)), "ValidatingAdmissionPolicy")


def _strict(manifests: str, kind: str) -> list[Resource]:
    policies = [one for one in yaml.safe_load_all(manifests) if one and one["kind"].startswith(kind)]
    for one in policies:
        if one["kind"] == kind:
            assert one["spec"]["failurePolicy"] == "Ignore"
            one["spec"]["failurePolicy"] = "Fail"
    return policies


@cache
def rendered(line: str, values: str) -> str:
    """What the chart renders for this line of Kubernetes. `values` is JSON; the image is that of the vectors."""
    told = json.loads(values)
    agent = {"image": IMAGE} | told.pop("agent", {})
    beta = ("--api-versions", "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy")
    words = ("--kube-version", f"{line}.0", *(() if Server(line).version >= FIRST_WITH_V1 else beta))
    plugin = {"enabled": False} | told.pop("plugin", {})
    text = json.dumps({"inject": "policy", "agent": agent, "plugin": plugin} | told)
    said = helm("template", "exeunt", CHART, "--namespace", "jobs", "--values", "-", *words, text=text)
    assert said.ok, said.err
    return said.out
