"""A hook of a chart that knows nothing of exeunt: Helm waits for the end of its Job."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ..errors import Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..scenarios.common import SIZE, outcome, upload
from ..shape import LABEL, Istio
from . import objects
from .forms import of_each_form
from .ordinary_run import DRAIN, check_given

Json = dict[str, Any]

_CHART = Path(__file__).with_name("third_party")
_CHECK = "check"
_HELM_S = 240
# What the lines of Helm 3 and 4 have then.
_GIVES_UP = ("timed out waiting for the condition", "context deadline exceeded")
# How long Helm waits for a Job that nothing ends.
_HANGS_S = 45


def _ends(istio: Istio, run: ScenarioRun) -> None:
    done = _install(run, istio, {}, _HELM_S)
    run.check(done.returncode == 0, f"helm install has failed: {done.stderr.strip()}")
    run.wait_received(_CHECK)
    run.main_containers, run.by_kubelet = [_CHECK], istio == "native"
    # Helm deletes the Job that has succeeded, so the pod is known as it was then.
    run.observe()
    code = run.facts.exits.get(_CHECK)
    run.check(code == 0, f"{_CHECK} has exit code {code}, not 0")
    run.check_verdict(proxy=outcome(istio), route="filter")
    run.check_delivered(SIZE)
    check_given(run, run.wait("the pod's state", lambda _pod: True))


def _hangs(run: ScenarioRun) -> None:
    done = _install(run, "classic", {DRAIN: "off"}, _HANGS_S)
    run.check(done.returncode != 0, "helm install has ended without exeunt, so the other scenarios prove nothing")
    said = done.stderr.strip()
    run.check(any(words in said for words in _GIVES_UP), f"helm install has failed for another reason: {said}")
    run.wait_received(_CHECK)
    run.main_containers = [_CHECK]
    run.observe()
    check_given(run, run.wait("the pod's state", lambda _pod: True), given=False)
    run.check_delivered(SIZE)
    run.note(f"helm install has given up after {_HANGS_S} s")


def _install(run: ScenarioRun, istio: Istio, labels: Json, seconds: int) -> subprocess.CompletedProcess[str]:
    """Installs the chart as its user does; the label by which this program finds the pod is one of the chart's values."""
    if shutil.which("helm") is None:
        raise Skip("helm is not in PATH")
    where = run.site.where
    values = {
        "image": where.task_image,
        "receiver": where.receiver,
        "connection": f"{run.name}-{_CHECK}",
        "arguments": list(upload()),
        "podLabels": {LABEL: run.name, **labels},
        "podAnnotations": {objects.FORM: "true" if istio == "native" else "false"},
    }
    words = ["helm", "install", run.name, str(_CHART), "--namespace", run.namespace, "--wait", "--timeout", f"{seconds}s"]
    words += ["--kubeconfig", str(run.site.options.kubeconfig), "--values", "-"]
    run.facts.written = SIZE
    return subprocess.run(
        words, input=json.dumps(values), capture_output=True, text=True, check=False, timeout=seconds * run.slack + _HELM_S
    )


SCENARIOS = (
    *of_each_form("hook", "helm install returns: the hook Job of a chart of others ends, and its slow upload arrives", _ends),
    Scenario("inject-hook-off", "without exeunt helm install gives up on the same hook (control)", _hangs, injected=True),
)
