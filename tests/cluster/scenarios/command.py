"""`kubectl exeunt` on real pods that hang: what it says of them, whom it ends, and whom it leaves alone."""

import json
import os
import subprocess
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .. import messages
from ..errors import Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import Istio, Policy, Shape, Task
from .common import SIZE, outcome, upload_task

Json = dict[str, Any]

# `./build.sh cli` makes it.
_PROGRAM = Path(__file__).resolve().parents[3] / "target" / "kubectl-exeunt"
_FAILURE = 3
_STUCK_S = 30
_TIMEOUT_S = 300
_NOT_NOW = 75


def kubectl(run: ScenarioRun, *words: str, kubeconfig: Path | None = None) -> tuple[int, str]:
    """Its exit code, and what it printed. Each scenario sees its own pod only."""
    kubeconfig = kubeconfig or run.site.options.kubeconfig
    line = [str(program()), "--kubeconfig", str(kubeconfig), "--namespace", run.namespace, *words]
    # The exit code is a part of what is tested.
    done = subprocess.run(line, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    run.note(f"kubectl exeunt {words[0]}: exit code {done.returncode}")
    return done.returncode, done.stdout + done.stderr


def program() -> Path:
    """The command; a scenario is skipped without it."""
    file = Path(os.environ.get("EXEUNT_KUBECTL", _PROGRAM))
    if not file.exists():
        raise Skip(f"{file.name} is not built: ./build.sh cli")
    return file


def _standing(run: ScenarioRun) -> Json:
    """What `status` says of the pod."""
    _, text = kubectl(run, "status", "-o", "json")
    name = name_of(run)
    return next((line for line in json.loads(text) if line["pod"] == name), {})


def name_of(run: ScenarioRun) -> str:
    """The name of the scenario's pod."""
    pod = run.watched.pod(run.name)
    return pod["metadata"]["name"] if pod else ""


def _end(run: ScenarioRun) -> tuple[int, str]:
    return kubectl(run, "end", name_of(run), "--image", run.site.where.agent_image)


def _rescued(failure: bool, run: ScenarioRun) -> None:
    """A slow receiver still reads when the command comes: nothing may be lost."""
    program()
    code = _FAILURE if failure else 0
    words = ("--exit", str(code)) if failure else ()
    run.start(Shape(agent="none", drain="", listener=False, tasks=upload_task(*words)))
    run.wait_main_ended()
    status, text = _end(run)
    run.check(status == 0, f"end exits with {status}: {text}")
    run.check("everything is delivered" in text, f"end does not say that everything is delivered: {text}")
    run.wait_ended()
    run.wait_received()
    run.observe()
    run.check(run.facts.phase == ("Failed" if failure else "Succeeded"), f"the pod is {run.facts.phase}")
    run.check_delivered(SIZE)


def _forwarded(run: ScenarioRun) -> None:
    """The same for somebody who may get pods and forward their ports, and nothing else."""
    program()
    role, binding = _may_forward(run)
    run.site.kube.create(run.namespace, role)
    run.site.kube.create(run.namespace, binding)
    try:
        run.start(Shape(agent="none", drain="", listener=False, tasks=upload_task()))
        run.wait_main_ended()
        with TemporaryDirectory() as folder:
            kubeconfig = Path(folder) / "kubeconfig"
            kubeconfig.touch(mode=0o600)
            kubeconfig.write_text(json.dumps(_as_account(run)))
            status, text = kubectl(run, "end", name_of(run), kubeconfig=kubeconfig)
        run.note(text.strip())
        run.check(status == 0, f"end exits with {status}: {text}")
        run.check("by port-forward to Envoy's admin interface" in text, f"end does not say that it was a port-forward: {text}")
        run.check("not seen: " in text, f"end does not say what it could not see: {text}")
        pod = run.wait_ended()
        run.wait_received()
        run.observe()
        run.check(run.facts.phase == "Succeeded", f"the pod is {run.facts.phase}")
        run.check("ephemeralContainers" not in pod["spec"], "the pod has got a container")
        run.check_delivered(SIZE)
    finally:
        run.site.kube.delete("RoleBinding", run.namespace, run.name)
        run.site.kube.delete("Role", run.namespace, run.name)


def _may_forward(run: ScenarioRun) -> tuple[Json, Json]:
    """What docs/kubectl.md says that this way needs."""
    group = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
    ]
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": run.name}, "rules": rules}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": run.name},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": run.name},
        "subjects": [{"kind": "ServiceAccount", "name": "default"}],
    }
    return role, binding


def _as_account(run: ScenarioRun) -> Json:
    """The kubeconfig of the run, acting as the account of its namespace."""
    # Imported only here, because without a cluster the program works without this package.
    import yaml

    config: Json = yaml.safe_load(run.site.options.kubeconfig.read_text())
    account = f"system:serviceaccount:{run.namespace}:default"
    for user in config["users"]:
        user["user"] = {**(user["user"] or {}), "as": account, "as-groups": ["system:serviceaccounts", "system:authenticated"]}
    return config


def _listed(run: ScenarioRun) -> None:
    """A pod that hangs is listed as stuck, explained, and found by --all-stuck."""
    program()
    run.start(Shape(agent="none", drain="", listener=False, tasks=(Task(command=("true",)),)))
    run.wait_main_ended()
    run.check(_standing(run).get("state") in ("ending", "stuck"), "status does not list a pod whose task has just ended")
    run.wait_until("the pod to count as stuck", lambda: _standing(run).get("state") == "stuck", 2.0 * _STUCK_S)
    code, text = kubectl(run, "explain", name_of(run))
    run.check(code == 1 and "no-agent" in text, f"explain exits with {code}: {text}")
    code, text = kubectl(run, "end", "--all-stuck", "--dry-run")
    run.check(code == 0 and name_of(run) in text, f"end --all-stuck --dry-run exits with {code}: {text}")
    code, text = _end(run)
    run.check(code == 0, f"end exits with {code}: {text}")
    run.wait_ended()


def _with_agent(run: ScenarioRun, job: Json) -> Json:
    """What `add` prints for this Job."""
    import yaml

    # As somebody writes it who leaves the form of the proxy to the mesh.
    del job["spec"]["template"]["metadata"]["annotations"]["sidecar.istio.io/nativeSidecar"]
    line = [str(program()), "add", "-f", "-", "--image", run.site.where.agent_image]
    done = subprocess.run(line, input=yaml.safe_dump(job), capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    new: Json = yaml.safe_load(done.stdout)
    return new


def _added(run: ScenarioRun) -> None:
    """What `add` prints is applied as it is: the Job does not know exeunt."""
    program()
    shape = Shape(istio="native", agent="none", drain="", listener=False, tasks=upload_task())
    run.start_changed(shape, partial(_with_agent, run))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome("native"), route=messages.BY_SOCKETS)
    run.check_delivered(SIZE)


def _refused(istio: Istio, policy: Policy, task: Task, run: ScenarioRun) -> None:
    """A pod whose proxy is still needed, or is not ours to end, stays as it is."""
    program()
    run.start(Shape(istio=istio, agent="none", drain="", listener=False, policy=policy, tasks=(task,)))
    run.wait(
        "the task to have started", lambda pod: any(_has_run(status) for status in pod["status"].get("containerStatuses", []))
    )
    code, text = _end(run)
    run.check(code == _NOT_NOW and "not ended" in text, f"end exits with {code}: {text}")
    pod = run.watched.pod(run.name) or {}
    run.check("ephemeralContainers" not in pod.get("spec", {}), "the pod has got a container")


def _has_run(status: Json) -> bool:
    return status["name"] != "istio-proxy" and bool({"running", "terminated"} & {*status["state"], *status.get("lastState", {})})


SCENARIOS = (
    Scenario("kubectl-end", "kubectl exeunt end ends a pod that hangs, and loses nothing", partial(_rescued, False)),
    Scenario("kubectl-end-failed", "the same for a task that failed: the pod fails", partial(_rescued, True)),
    Scenario(
        "kubectl-end-forward",
        "who may only forward ports ends a pod that hangs with kubectl exeunt, and loses nothing",
        _forwarded,
    ),
    Scenario("kubectl-status", "kubectl exeunt lists, explains and ends a pod that hangs", _listed),
    Scenario("kubectl-add", "an ordinary Job to which kubectl exeunt adds the agent loses nothing", _added),
    Scenario(
        "kubectl-end-runs",
        "kubectl exeunt end leaves a pod alone whose task runs",
        partial(_refused, "classic", "Never", Task(("wait",))),
    ),
    Scenario(
        "kubectl-end-again",
        "kubectl exeunt end leaves a pod alone whose task kubelet starts again",
        partial(_refused, "classic", "OnFailure", Task(command=("python3", "-c", "raise SystemExit(3)"))),
    ),
    Scenario(
        "kubectl-end-native",
        "kubectl exeunt end leaves a native proxy alone",
        partial(_refused, "native", "Never", Task(("wait",))),
    ),
)
