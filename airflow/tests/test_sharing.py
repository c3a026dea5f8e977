"""Which pods may share their processes."""

from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import V1Container, V1PodSecurityContext, V1PodSpec, V1SecurityContext

from exeunt_airflow import sharing
from exeunt_airflow.settings import Settings
from exeunt_airflow.unchanged import NeedsAttention

UNLESS_ROOT = Settings(share_processes="unless-root")


def spec(*containers: Any, pod: dict[str, Any] | None = None, inits: tuple[Any, ...] = ()) -> V1PodSpec:
    """A pod with these containers and this security context."""
    security = V1PodSecurityContext(**pod) if pod else None
    return V1PodSpec(containers=list(containers), init_containers=list(inits), security_context=security)


def container(name: str = "base", **fields: Any) -> V1Container:
    """A container with these fields in its security context, if there are any."""
    return V1Container(name=name, security_context=V1SecurityContext(**fields) if fields else None)


@pytest.mark.parametrize(
    "good",
    [
        spec(container(run_as_user=1000)),
        spec(container(run_as_non_root=True)),
        # Kubelet refuses to start it.
        spec(container(run_as_user=0, run_as_non_root=True)),
        spec(container(), pod={"run_as_user": 50000}),
        spec(container(privileged=False), pod={"run_as_non_root": True}),
        spec({"name": "base", "securityContext": {"runAsUser": 1000}}),
        # Istio sets the user of its own containers, and a plain init container has ended before the task starts.
        spec(container(run_as_user=1000), container("istio-proxy"), inits=(container("istio-init", run_as_user=0),)),
    ],
)
def test_a_pod_without_root_may_share_its_processes(good: V1PodSpec) -> None:
    sharing.check(good, UNLESS_ROOT)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (spec(container()), "base"),
        (spec(container(run_as_user=0)), "base"),
        (spec(container(run_as_user=0), pod={"run_as_user": 1000}), "base"),
        (spec(container(run_as_non_root=False), pod={"run_as_non_root": True}), "base"),
        (spec({"name": "base", "securityContext": {"runAsUser": 0}}, pod={"run_as_user": 1000}), "base"),
        (spec(container(run_as_user=1000), container("cache"), container("airflow-xcom-sidecar")), "cache, airflow-xcom-sidecar"),
        (spec(container(run_as_user=1000), inits=({"name": "ship", "restartPolicy": "Always"},)), "ship"),
    ],
)
def test_every_container_that_may_be_root_is_named(bad: V1PodSpec, named: str) -> None:
    with pytest.raises(NeedsAttention, match=f"unless-root, and nothing in the pod keeps {named} from running as root: set "):
        sharing.check(bad, UNLESS_ROOT)
    sharing.check(bad, Settings())


def test_never_means_never() -> None:
    with pytest.raises(NeedsAttention, match="share_processes is never"):
        sharing.check(spec(container(run_as_user=1000)), replace(UNLESS_ROOT, share_processes="never"))
