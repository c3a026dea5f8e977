"""What the scenarios of this group share: commands of the attacking containers, and objects that they need."""

import contextlib
from collections.abc import Iterator
from typing import Any

from ...errors import Refused, Skip
from ...scenario_run import ScenarioRun
from ...shape import LABEL

Json = dict[str, Any]

SIGNAL_PORT = 15190
_FORBIDDEN = 403


def script(*steps: str) -> tuple[str, ...]:
    """A command that waits for the proxy and then takes these steps, as long as none fails; each is a program of this package."""
    *before, last = (f"python3 /e2e/{step}" for step in ("task.py wait", *steps))
    return "sh", "-c", " && ".join([*before, f"exec {last}"])


def until_the_proxy_ends(step: str) -> tuple[str, ...]:
    """A command that waits for the proxy, takes this step, which has no end, and ends when the proxy has ended."""
    return "sh", "-c", f"python3 /e2e/task.py wait && python3 /e2e/{step} & exec python3 /e2e/task.py helper"


def after_the_helper(step: str) -> tuple[str, ...]:
    """A command that takes this step when another container of the pod has made the file that says that it is ready."""
    return "sh", "-c", f"until [ -e /scratch/ready ]; do sleep 0.2; done; exec python3 /e2e/{step}"


@contextlib.contextmanager
def sidecar(run: ScenarioRun, selected: str, **spec: Any) -> Iterator[None]:
    """A Sidecar resource of Istio for the pod with this name, which is deleted at the end of the `with` block."""
    kube, namespace = run.site.kube, run.site.namespace
    name = f"{run.name}-sidecar"
    body = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "Sidecar",
        "metadata": {"name": name},
        "spec": {"workloadSelector": {"labels": {LABEL: selected}}, **spec},
    }
    try:
        kube.create(namespace, body)
    except Refused as error:
        if error.status != _FORBIDDEN:
            raise
        raise Skip(f"no right to create a Sidecar resource: {error}") from error
    try:
        yield
    finally:
        kube.delete("Sidecar", namespace, name)


@contextlib.contextmanager
def service(run: ScenarioRun, selected: str, *ports: int) -> Iterator[str]:
    """A Service for the pod with this name, so that the mesh uses mTLS: its address. It goes at the end of the block."""
    kube, namespace = run.site.kube, run.site.namespace
    name = f"{run.name}-service"
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {LABEL: selected}, "ports": [{"name": f"http-{port}", "port": port} for port in ports]},
    }
    found = str(kube.create(namespace, body)["spec"]["clusterIP"])
    try:
        yield f"[{found}]" if ":" in found else found
    finally:
        kube.delete("Service", namespace, name)
