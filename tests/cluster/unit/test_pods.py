"""The pods as Kubernetes objects."""

import json
from typing import Any

from cluster.pods import behind_agent, job, pod, template, told_nothing_of_hold
from cluster.shape import AGENT, LABEL, PROXY, Rule, Shape, Task, Where, three_lines

WHERE = Where("example/python:3", "example/exeunt-agent:1", "10.0.0.9:9000")


def agent_of(made: dict[str, Any]) -> dict[str, Any]:
    spec = made["spec"]
    return next(one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == AGENT)


def test_a_native_agent_is_the_first_init_container_and_restarts() -> None:
    made = template("x", Shape(), WHERE)
    assert made["spec"]["initContainers"][0]["name"] == AGENT
    assert made["spec"]["initContainers"][0]["restartPolicy"] == "Always"
    assert made["spec"]["shareProcessNamespace"] is True


def test_beside_a_native_proxy_the_agent_has_three_lines_and_nothing_is_shared() -> None:
    made = template("x", Shape(istio="native"), WHERE)
    assert agent_of(made) == {"name": AGENT, "image": "example/exeunt-agent:1", "restartPolicy": "Always"}
    assert "shareProcessNamespace" not in made["spec"]
    told = template("x", Shape(istio="native", sharing=True), WHERE)
    assert agent_of(told)["args"][0] == "watch"
    assert told["spec"]["shareProcessNamespace"] is True


def test_an_agent_of_three_lines_is_told_only_another_grace_period() -> None:
    def args(shape: Shape) -> Any:
        return agent_of(template("x", shape, WHERE)).get("args")

    assert args(three_lines(grace_s=300)) == ["--grace-period", "300s"]
    assert args(three_lines(grace_s=8, tells_grace=False)) is None
    assert template("x", three_lines(grace_s=8, tells_grace=False), WHERE)["spec"]["terminationGracePeriodSeconds"] == 8


def test_the_least_pod_has_no_label_for_the_plugin_and_no_setting_of_the_proxy() -> None:
    metadata = template("x", three_lines(), WHERE)["metadata"]
    assert "exeunt.dev/drain" not in metadata["labels"]
    assert metadata["annotations"]["sidecar.istio.io/nativeSidecar"] == "true"
    assert "proxy.istio.io/config" not in metadata["annotations"]


def test_sidecars_stand_before_and_behind_the_agent() -> None:
    shape = three_lines(before=(Task(name="s1"),), behind=(Task(name="s3"),))
    init = template("x", shape, WHERE)["spec"]["initContainers"]
    assert [one["name"] for one in init] == ["s1", AGENT, "s3"]
    assert {one["restartPolicy"] for one in init} == {"Always"}


def test_a_rule_says_when_kubelet_starts_a_container_again() -> None:
    container = template("x", three_lines(tasks=(Task(rule=Rule("Restart", 42)),)), WHERE)["spec"]["containers"][0]
    assert container["restartPolicy"] == "Never"
    assert container["restartPolicyRules"] == [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]


def test_an_injected_pod_can_be_made_again_with_its_proxy_behind_the_agent() -> None:
    injected = pod("x", three_lines(), WHERE)
    names = ("istio-init", PROXY, AGENT)
    injected["spec"]["initContainers"] = [{"name": name} for name in names]
    injected["metadata"] |= {"uid": "1", "resourceVersion": "2"}
    made = behind_agent(injected)
    assert [one["name"] for one in made["spec"]["initContainers"]] == ["istio-init", AGENT, PROXY]
    assert made["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert set(made["metadata"]) == {"name", "labels", "annotations"}


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


def words_of(**changes: Any) -> list[str]:
    args: list[str] = agent_of(template("x", Shape(**changes), WHERE))["args"]
    return args


def test_what_the_agent_is_not_told_is_missing() -> None:
    least = ["watch", "--placement", "native", "--state-dir", "/run/exeunt"]
    assert words_of(told=frozenset()) == least
    assert words_of(told=frozenset({"policy"})) == [*least[:3], "--restart-policy", "Never", *least[3:]]
    assert words_of(told=frozenset({"containers"})) == [*least[:1], "--container", "base", *least[1:]]


def test_the_agent_is_told_a_containers_own_policy_and_rules_as_the_pod_has_them() -> None:
    tasks = (Task(rule=Rule("Restart", 42)),)
    words = words_of(tasks=tasks)
    assert "base=Never" in words
    name, _, rules = words[words.index("--restart-rules") + 1].partition("=")
    assert name == "base"
    assert json.loads(rules) == template("x", Shape(tasks=tasks), WHERE)["spec"]["containers"][0]["restartPolicyRules"]
    assert "--restart-rules" not in words_of(tasks=tasks, told=frozenset({"containers"}))


def test_an_agent_may_have_a_policy_and_an_environment_of_its_own() -> None:
    shape = Shape(agent="regular", agent_policy="OnFailure", agent_env=(("EXEUNT_LOG", "debug"),))
    made = agent_of(template("x", shape, WHERE))
    assert made["restartPolicy"] == "OnFailure"
    assert {"name": "EXEUNT_LOG", "value": "debug"} in made["env"]


def test_a_regular_agent_can_stand_behind_the_tasks() -> None:
    made = template("x", Shape(agent="regular", agent_last=True, tasks=(Task(), Task(name="second"))), WHERE)
    assert [one["name"] for one in made["spec"]["containers"]] == ["base", "second", AGENT]


def test_a_hook_runs_a_program_of_its_own() -> None:
    made = template("x", Shape(tasks=(Task(post_start=("freeze",)),)), WHERE)["spec"]["containers"][0]
    assert made["lifecycle"] == {"postStart": {"exec": {"command": ["python3", "/e2e/task.py", "freeze"]}}}
    assert "lifecycle" not in template("x", Shape(), WHERE)["spec"]["containers"][0]


def test_a_stripped_agent_is_a_plain_init_container() -> None:
    for shape in (Shape(stripped=True), three_lines(stripped=True)):
        assert "restartPolicy" not in agent_of(template("x", shape, WHERE))


def test_a_root_task_has_the_rights_of_every_container() -> None:
    assert template("x", Shape(tasks=(Task(root=True),)), WHERE)["spec"]["containers"][0]["securityContext"] == {"runAsUser": 0}


def test_the_injector_merges_another_command_into_the_proxy() -> None:
    containers = template("x", Shape(proxy_command=("/no",)), WHERE)["spec"]["containers"]
    assert containers[-1] == {"name": PROXY, "image": "auto", "imagePullPolicy": "IfNotPresent", "command": ["/no"]}
    assert PROXY not in {one["name"] for one in template("x", Shape(), WHERE)["spec"]["containers"]}


def test_a_pod_without_an_agent_shares_its_processes_if_it_must() -> None:
    assert template("x", Shape(agent="none", sharing=True), WHERE)["spec"]["shareProcessNamespace"] is True
    assert "shareProcessNamespace" not in template("x", Shape(agent="none"), WHERE)["spec"]


def test_nothing_says_that_a_proxy_is_held() -> None:
    injected = pod("x", Shape(istio="hold", agent="regular"), WHERE)
    config = {"holdApplicationUntilProxyStarts": True, "concurrency": 2}
    proxy = {"name": PROXY, "env": [{"name": "PROXY_CONFIG", "value": json.dumps(config)}, {"name": "X", "value": "y"}]}
    injected["spec"]["containers"].insert(0, proxy)
    made = told_nothing_of_hold(injected)
    assert "holdApplicationUntilProxyStarts" not in json.dumps(made)
    assert [one["name"] for one in made["spec"]["containers"]] == [PROXY, AGENT, "base"]
    assert json.loads(made["spec"]["containers"][0]["env"][0]["value"]) == {"concurrency": 2}
    assert made["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


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
        config = template("x", shape, WHERE)["metadata"]["annotations"].get("proxy.istio.io/config", "{}")
        found: dict[str, Any] = json.loads(config)
        return found

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
