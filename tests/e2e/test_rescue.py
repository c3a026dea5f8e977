"""The commands in docs/rescue.md: these tests take them from the page and run them."""

import json
import re
import shlex
import shutil
import signal
import subprocess
from typing import Any

import pytest

from e2e.upload import MB, finished_upload
from harness.child import Child
from harness.delivery import check_all_delivered
from harness.paths import ROOT, agent
from harness.pod import AGENT_UID, Pod
from harness.scene import MakeScene

PAGE = (ROOT / "docs" / "rescue.md").read_text()
# A debug container shares only the pod's network: it has its own processes, user and mounts.
ALONE = ["unshare", "--pid", "--fork", "--mount-proc", "--", "setpriv", f"--reuid={AGENT_UID}", f"--regid={AGENT_UID}"]
ALONE += ["--clear-groups", "--bounding-set=-all", "--no-new-privs"]


def _command(verb: str) -> list[str]:
    """The words of the page's command that begins with `kubectl VERB`."""
    (line,) = re.findall(rf"^kubectl {verb} .*$", PAGE, re.MULTILINE)
    return shlex.split(line)


def test_a_debug_container_ends_the_proxy_of_a_pod_without_exeunt(pod: Pod, make_scene: MakeScene) -> None:
    words = _command("debug POD")
    assert "--profile=restricted" in words
    arguments = words[words.index("--") + 1 :]
    assert arguments[0] == "/exeunt-agent"
    scene = make_scene(pod=pod)
    scene.sidecar.without_signal_listener()
    upload = finished_upload(scene, size=8 * MB, rate=2 * MB, pilot_agent=True)
    executable = shutil.copy(agent(), scene.folder / "exeunt-agent")
    enter = ["nsenter", f"--net={pod.namespace.path}", "--", *ALONE, "--"]
    run = subprocess.run([*enter, executable, *arguments[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    verdict = json.loads(run.stderr.splitlines()[-1])
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)
    upload.check_delivered()


def test_kubectl_exec_in_the_agents_container_ends_the_proxy(pod: Pod, make_scene: MakeScene) -> None:
    words = _command("exec POD -c exeunt")
    assert words[words.index("--") + 1 :] == ["/exeunt-agent", "complete"]
    scene = make_scene(pod=pod)
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    executable = shutil.copy(agent(), scene.folder / "exeunt-agent")
    message = scene.folder / "message"
    message.touch()
    message.chmod(0o666)
    # The agent waits for a container that the pod does not have.
    argv = [executable, "watch", "--container", "misspelt", "--placement", "native", "--termination-log", str(message)]
    log = scene.folder / "agent.log"
    with Child(argv, log, network=pod, container="exeunt", uid=AGENT_UID, reports=False) as watching:
        task = scene.task(size=4 * MB)
        task.begin()
        task.wait()
        completer_log = scene.folder / "complete.log"
        completer = [executable, "complete"]
        with Child(completer, completer_log, network=pod, container="exeunt", uid=AGENT_UID, reports=False) as completing:
            check_all_delivered(upstream, envoy, 4 * MB)
            assert completing.wait() == 0
        assert watching.running
        # Kubelet ends a native sidecar when the regular containers have ended.
        watching.ending.send(signal.SIGTERM)
        assert watching.wait() == 0


def test_the_list_has_the_pods_in_which_only_the_proxy_still_runs() -> None:
    jq = shutil.which("jq")
    if jq is None:
        pytest.skip("jq is missing")
    match = re.search(r"kubectl get pods -o json \| jq -r '(.*?)'\n```", PAGE, re.DOTALL)
    assert match is not None
    running: Any = {"running": {"startedAt": "2026-11-26T17:00:00Z"}}

    def ended(code: int) -> Any:
        return {"terminated": {"exitCode": code}}

    def one(name: str, policy: str, **states: Any) -> Any:
        statuses = [{"name": container.replace("_", "-"), "state": state} for container, state in states.items()]
        return {"metadata": {"name": name}, "spec": {"restartPolicy": policy}, "status": {"containerStatuses": statuses}}

    pods = [
        one("hangs", "Never", main=ended(0), istio_proxy=running),
        one("hangs-failed", "Never", main=ended(1), istio_proxy=running),
        one("hangs-with-exeunt", "Never", main=ended(0), exeunt=running, istio_proxy=running),
        one("hangs-on-failure", "OnFailure", main=ended(0), istio_proxy=running),
        one("works", "Never", main=running, istio_proxy=running),
        one("second-works", "Never", main=ended(0), second=running, istio_proxy=running),
        one("between-attempts", "OnFailure", main=ended(1), istio_proxy=running),
        one("backs-off", "OnFailure", main={"waiting": {"reason": "CrashLoopBackOff"}}, istio_proxy=running),
        one("over", "Never", main=ended(0), istio_proxy=ended(0)),
        one("native", "Never", main=ended(0)),
        one("service", "Always", main=ended(0), istio_proxy=running),
        {"metadata": {"name": "pending"}, "spec": {"restartPolicy": "Never"}, "status": {}},
    ]
    run = subprocess.run([jq, "-r", match[1]], input=json.dumps({"items": pods}), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [pod["metadata"]["name"] for pod in pods[:4]]
