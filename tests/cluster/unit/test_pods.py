"""The pods as Kubernetes objects."""

import json
from typing import Any

from cluster.pods import job, pod, template
from cluster.shape import AGENT, LABEL, Shape, Task, Where

WHERE = Where("example/python:3", "example/exeunt-agent:1", "10.0.0.9:9000")


def agent_of(made: dict[str, Any]) -> dict[str, Any]:
    spec = made["spec"]
    return next(one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == AGENT)


def test_a_native_agent_is_the_first_init_container_and_restarts() -> None:
    made = template("x", Shape(), WHERE)
    assert made["spec"]["initContainers"][0]["name"] == AGENT
    assert made["spec"]["initContainers"][0]["restartPolicy"] == "Always"
    assert made["spec"]["shareProcessNamespace"] is True


def test_a_regular_agent_is_the_first_container_and_has_no_restart_policy() -> None:
    made = template("x", Shape(agent="regular"), WHERE)
    assert [one["name"] for one in made["spec"]["containers"]] == [AGENT, "base"]
    assert "restartPolicy" not in made["spec"]["containers"][0]
    assert made["spec"]["initContainers"] == []


def test_the_agents_options_say_what_it_cannot_find_out() -> None:
    shape = Shape(policy="OnFailure", tasks=(Task(), Task(name="second"), Task(name="helper", main=False)), grace_s=60)
    words = agent_of(template("x", shape, WHERE))["args"]
    assert words == [
        *("watch", "--container", "base", "--container", "second", "--placement", "native"),
        *("--restart-policy", "OnFailure", "--state-dir", "/run/exeunt", "--grace-period", "60s"),
    ]


def test_an_image_that_the_node_has_is_not_pulled_again() -> None:
    made = template("x", Shape(unpacks_agent=True), WHERE)
    both = [*made["spec"]["initContainers"], *made["spec"]["containers"]]
    assert {one["imagePullPolicy"] for one in both} == {"IfNotPresent"}


def test_every_container_obeys_the_restricted_standard() -> None:
    made = template("x", Shape(agent="regular", unpacks_agent=True), WHERE)
    for one in [*made["spec"]["initContainers"], *made["spec"]["containers"]]:
        context = one["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_annotation_has_what_the_shape_asks_for() -> None:
    def proxy(shape: Shape) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(template("x", shape, WHERE)["metadata"]["annotations"]["proxy.istio.io/config"])
        return config

    both = {"ISTIO_META_HTTP_PROXY_PORT": "15190", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}
    assert proxy(Shape()) == {"proxyMetadata": both}
    assert proxy(Shape(istio="hold")) == {"proxyMetadata": both, "holdApplicationUntilProxyStarts": True}
    assert proxy(Shape(listener=False, exit_on_zero=False)) == {}


def test_the_pod_of_a_job_has_the_label_by_which_it_is_found() -> None:
    made = job("x", Shape(), WHERE)
    assert made["spec"]["template"]["metadata"]["labels"][LABEL] == "x"
    assert pod("x", Shape(), WHERE)["metadata"]["name"] == "x"


def test_a_job_retries_its_pod_only_under_on_failure() -> None:
    assert job("x", Shape(), WHERE)["spec"]["backoffLimit"] == 0
    assert job("x", Shape(policy="OnFailure"), WHERE)["spec"]["backoffLimit"] > 2


def test_a_pod_of_an_ambient_mesh_asks_for_no_sidecar() -> None:
    labels = template("x", Shape(ambient=True), WHERE)["metadata"]["labels"]
    assert (labels["istio.io/dataplane-mode"], labels["sidecar.istio.io/inject"]) == ("ambient", "false")
    assert "istio.io/dataplane-mode" not in template("x", Shape(), WHERE)["metadata"]["labels"]
