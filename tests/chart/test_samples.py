"""The samples: each is a whole file, and its pod has what exeunt needs."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from chart.programs import ROOT, Resource, judge, lone

SAMPLES = ROOT / "deploy" / "samples"


@dataclass(frozen=True)
class Sample:
    """The pod of a sample."""

    pod: Resource
    # The main containers.
    main: tuple[str, ...]
    policy: str = "Never"
    # native: kubelet tells the agent when the task has ended.
    # classic: the agent is a native sidecar, and watches the processes of the main containers.
    # regular: the agent is a regular container, and watches them too.
    form: str = "native"

    @property
    def watches(self) -> bool:
        """Whether the agent watches processes."""
        return self.form != "native"


def of_pod(name: str, main: tuple[str, ...], form: str) -> Sample:
    """The pod in a file."""
    return Sample(lone(SAMPLES / name), main, form=form)


def of_job(name: str, form: str) -> Sample:
    """The pod of a Job or a CronJob."""
    spec = lone(SAMPLES / name)["spec"]
    policy = "OnFailure" if "jobTemplate" in spec else "Never"
    return Sample(spec.get("jobTemplate", {"spec": spec})["spec"]["template"], ("main",), policy, form)


def of_spark(form: str) -> Sample:
    """The pod of the driver, as the operator's webhook makes it."""
    spec = lone(SAMPLES / "spark-application.yaml")["spec"]
    driver = spec["driver"]
    main = {"name": "spark-kubernetes-driver", "image": spec["image"]}
    pod = {"restartPolicy": "Never", "containers": [main], "initContainers": driver["initContainers"]}
    metadata = {name: driver[name] for name in ("labels", "annotations")}
    return Sample({"metadata": metadata, "spec": pod}, (main["name"],), form=form)


def of_argo(form: str) -> Sample:
    """The pod of the only template, as the workflow controller makes it."""
    spec = lone(SAMPLES / "argo-workflow.yaml")["spec"]
    (template,) = spec["templates"]
    containers = [{"name": "wait", "image": "argoexec"}, {"name": "main"} | template["container"]]
    pod = {"restartPolicy": "Never", "containers": containers} | spec["templateDefaults"]
    # Argo itself sets the annotation of the default container.
    default = {"kubectl.kubernetes.io/default-container": "main"}
    metadata = spec["podMetadata"] | {"annotations": spec["podMetadata"]["annotations"] | default}
    return Sample({"metadata": metadata, "spec": pod}, ("main", "wait"), form=form)


ALL = {
    "job.yaml": of_job("job.yaml", "native"),
    "job-classic.yaml": of_job("job-classic.yaml", "classic"),
    "job-regular.yaml": of_job("job-regular.yaml", "regular"),
    "job-hardened.yaml": of_job("job-hardened.yaml", "native"),
    "cronjob.yaml": of_job("cronjob.yaml", "native"),
    "cronjob-classic.yaml": of_job("cronjob-classic.yaml", "classic"),
    "airflow-pod-template.yaml": of_pod("airflow-pod-template.yaml", ("base",), "native"),
    "spark-pod-template.yaml": of_pod("spark-pod-template.yaml", ("spark-kubernetes-driver",), "native"),
    "spark-application.yaml": of_spark("native"),
    "argo-workflow.yaml": of_argo("native"),
}
# Tekton makes the pod of steps and sidecars, and does not allow a shared process namespace.
OF_TEKTON = ("tekton-taskrun.yaml", "tekton-taskrun-classic.yaml")


# Kinds of Kubernetes itself, which need no custom resource definition.
OWN = ("Pod", "Job", "CronJob")


def agent_of(sample: Sample) -> Resource:
    """The agent, which is the first container in its list."""
    agent: Resource = sample.pod["spec"]["containers" if sample.form == "regular" else "initContainers"][0]
    return agent


@pytest.fixture(params=ALL)
def sample(request: pytest.FixtureRequest) -> Sample:
    """Each sample with the usual shape."""
    return ALL[request.param]


def test_every_sample_is_looked_at() -> None:
    assert {path.name for path in SAMPLES.glob("*.yaml")} == {*ALL, *OF_TEKTON}


def test_every_sample_has_a_name_of_its_own() -> None:
    """Applying a second sample must not change the first."""
    resources = [lone(path) for path in sorted(SAMPLES.glob("*.yaml"))]
    names = [one["metadata"].get("name") or one["metadata"].get("generateName") for one in resources if one["kind"] != "Pod"]
    assert all(names)
    assert len(set(names)) == len(names)


def test_an_api_server_takes_the_pod(sample: Sample) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"} | sample.pod["metadata"], "spec": sample.pod["spec"]}
    said = judge(yaml.safe_dump(pod))
    assert said.ok, said.out


@pytest.mark.parametrize("name", [name for name in ALL if lone(SAMPLES / name)["kind"] in OWN])
def test_an_api_server_takes_the_file(name: str) -> None:
    said = judge((SAMPLES / name).read_text())
    assert said.ok, said.out


def test_the_pod_asks_to_take_part(sample: Sample) -> None:
    metadata = sample.pod["metadata"]
    assert metadata["labels"]["exeunt.dev/drain"] == "on"
    told = yaml.safe_load(metadata["annotations"]["proxy.istio.io/config"])["proxyMetadata"]
    assert told["ISTIO_META_HTTP_PROXY_PORT"] == "15190"


def test_the_pod_says_which_form_its_proxy_has(sample: Sample) -> None:
    """Kubelet tells the agent only beside a native proxy. A classic proxy of a deleted pod waits for its connections."""
    annotations = sample.pod["metadata"]["annotations"]
    assert annotations.get("sidecar.istio.io/nativeSidecar") == (None if sample.watches else "true")
    told = yaml.safe_load(annotations["proxy.istio.io/config"])["proxyMetadata"]
    assert told.get("EXIT_ON_ZERO_ACTIVE_CONNECTIONS") == ("true" if sample.watches else None)


def test_the_agent_is_the_first_in_its_list(sample: Sample) -> None:
    """The injector puts a native istio-proxy in front of it."""
    assert agent_of(sample)["name"] == "exeunt"
    assert (agent_of(sample).get("restartPolicy") == "Always") is (sample.form != "regular")


def test_an_agent_that_kubelet_tells_is_told_nothing_else(sample: Sample) -> None:
    agent = agent_of(sample)
    added = ("shareProcessNamespace" in sample.pod["spec"], *(field in agent for field in ("args", "env", "volumeMounts")))
    assert added == ((True,) * 4 if sample.watches else (False,) * 4)


def test_an_agent_that_watches_is_told_what_it_cannot_see(sample: Sample) -> None:
    assert sample.pod["spec"]["restartPolicy"] == sample.policy
    if sample.watches:
        assert sample.pod["spec"]["shareProcessNamespace"] is True
        placement = "regular" if sample.form == "regular" else "native"
        told = ["--placement", placement, "--restart-policy", sample.policy, "--state-dir", "/run/exeunt"]
        assert agent_of(sample)["args"] == ["watch", *told]


def test_every_regular_container_is_a_main_one_so_no_name_is_told(sample: Sample) -> None:
    names = [one["name"] for one in sample.pod["spec"]["containers"]]
    assert set(names) - {"exeunt"} == set(sample.main)
    assert "--container" not in agent_of(sample).get("args", [])


def test_kubectl_s_default_container_is_a_main_one(sample: Sample) -> None:
    """Without the annotation Istio chooses the first container, which a regular agent is."""
    first = sample.pod["spec"]["containers"][0]["name"]
    assert sample.pod["metadata"]["annotations"].get("kubectl.kubernetes.io/default-container", first) in sample.main


def test_all_agents_are_alike() -> None:
    """Those that watch are told more than those that kubelet tells; all have the same rights and the same limits."""
    own = {"args": None, "restartPolicy": None}
    more = own | {"env": None, "volumeMounts": None}
    agents = {name: agent_of(sample) for name, sample in ALL.items()}
    watching = [agent | own for name, agent in agents.items() if ALL[name].watches]
    assert all(agent == watching[0] for agent in watching)
    assert all(agent | more == watching[0] | more for agent in agents.values())
    assert watching[0]["securityContext"] == {
        "runAsUser": 15190,
        "runAsGroup": 15190,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod_of_tekton(run: Resource) -> Resource:
    """The pod of a task run: a container of each step and of each sidecar."""
    containers = []
    for prefix, kind in (("step", "steps"), ("sidecar", "sidecars")):
        for one in run["spec"]["taskSpec"].get(kind, []):
            own = {name: one[name] for name in ("image", "command", "args", "env", "securityContext") if name in one}
            containers.append(own | {"name": f"{prefix}-{one['name']}", "resources": one.get("computeResources", {})})
    spec = {"restartPolicy": "Never", "containers": containers}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}


@pytest.mark.parametrize("name", OF_TEKTON)
def test_an_api_server_takes_the_pod_of_a_tekton_task(name: str) -> None:
    said = judge(yaml.safe_dump(pod_of_tekton(lone(SAMPLES / name))))
    assert said.ok, said.out


@pytest.mark.parametrize(("name", "like"), [*zip(OF_TEKTON, ("job.yaml", "job-classic.yaml"), strict=True)])
def test_the_pod_of_a_tekton_task_is_marked_like_that_of_a_job(name: str, like: str) -> None:
    metadata, job = lone(SAMPLES / name)["metadata"], ALL[like].pod["metadata"]
    assert metadata["labels"] == job["labels"]
    assert metadata["annotations"] == job["annotations"]


def test_the_agent_of_a_tekton_task_is_a_sidecar_that_waits_for_sigterm() -> None:
    run = lone(SAMPLES / "tekton-taskrun.yaml")
    (agent,) = run["spec"]["taskSpec"]["sidecars"]
    job = agent_of(ALL["job.yaml"])
    # The image that Tekton puts into the container later has no program of ours.
    assert "command" not in agent
    assert agent["args"] == ["watch", "--placement", "native"]
    assert all(agent[name] == job[name] for name in ("image", "securityContext"))
    assert agent["computeResources"] == job["resources"]


def test_the_last_step_of_the_classic_tekton_task_ends_the_proxy() -> None:
    run = lone(SAMPLES / "tekton-taskrun-classic.yaml")
    *others, last = run["spec"]["taskSpec"]["steps"]
    agent = agent_of(ALL["job-classic.yaml"])
    assert others
    assert (last["command"], last["args"], last["onError"]) == (["/exeunt-agent"], ["complete", "--exit-code", "0"], "continue")
    assert all(last[name] == agent[name] for name in ("image", "env", "securityContext"))


@pytest.mark.parametrize(
    "path", [*SAMPLES.glob("argo*"), *SAMPLES.glob("tekton*"), *SAMPLES.glob("spark*")], ids=lambda path: path.stem
)
def test_the_sample_of_an_engine_says_when_and_with_what_it_was_last_run(path: Path) -> None:
    (line,) = [line for line in path.read_text().splitlines() if line.startswith("# Last run:")]
    dated = re.fullmatch(r"# Last run: \d{1,2} \w+ 20\d\d, \w[\w ]+ \d[\d.]+, Istio [\d.]+, Kubernetes [\d.]+\.", line)
    assert dated or line.startswith("# Last run: never. Nobody has run this sample on a cluster.")


@pytest.mark.parametrize("path", sorted([*SAMPLES.glob("*job*.yaml"), *SAMPLES.glob("airflow*")]), ids=lambda path: path.stem)
def test_the_sample_of_a_job_or_of_airflow_says_when_and_with_what_it_was_last_run(path: Path) -> None:
    assert re.search(r"(?m)^# Last run: \d{1,2} \w+ 20\d\d, Istio [\d.]+, Kubernetes [\d.]+\.$", path.read_text())


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_line_of_exeunts_has_its_reason(path: Path) -> None:
    """There is a comment above each of these lines, or above the line before it in the same block."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    for wanted in ("exeunt.dev/drain", "proxy.istio.io/config", "- name: exeunt", "securityContext:"):
        found = [number for number, line in enumerate(lines) if line.startswith(wanted)]
        assert found
        assert all(lines[number - 1].startswith("#") for number in found if lines[number - 1] != "volumeMounts:"), wanted


@pytest.mark.parametrize("container", ["exeunt", "main"])
def test_the_hardened_job_has_what_the_restricted_standard_asks_for(container: str) -> None:
    """By the text of the pod security standards. The API server itself was asked on a cluster: the line `Last run`."""
    spec = ALL["job-hardened.yaml"].pod["spec"]
    pod = spec["securityContext"]
    (one,) = [one for one in [*spec["initContainers"], *spec["containers"]] if one["name"] == container]
    own = one["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert {**pod, **own}["runAsNonRoot"] is True
    assert {**pod, **own}["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["runAsUser"] not in (0, 1337)
    assert own["readOnlyRootFilesystem"] is True
    assert not {"privileged", "procMount"} & own.keys()
    assert "hostPort" not in str(one)


def test_the_pod_of_the_hardened_job_shares_nothing() -> None:
    spec = ALL["job-hardened.yaml"].pod["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & spec.keys()
    assert spec["automountServiceAccountToken"] is False
    assert [volume for volume in spec["volumes"] if volume.keys() != {"name", "emptyDir"}] == []
    users = [one["securityContext"]["runAsUser"] for one in [*spec["initContainers"], *spec["containers"]]]
    assert len(set(users)) == len(users)
