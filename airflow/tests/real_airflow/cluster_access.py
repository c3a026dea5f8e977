"""How Airflow finds the API server of the tests."""

from pathlib import Path

import yaml

NAMESPACE = "jobs"


def kubeconfig(folder: Path, url: str) -> str:
    """Writes a kubeconfig for the API server at `url`, and returns its path."""
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "none"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
        "current-context": "c",
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


def executor_environment(folder: Path, url: str) -> dict[str, str]:
    """The environment variables of a KubernetesExecutor outside of a cluster."""
    container = {"name": "base", "image": "apache/airflow"}
    template = folder / "template.yaml"
    template.write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "spec": {"restartPolicy": "Never", "containers": [container]}})
    )
    section = "AIRFLOW__KUBERNETES_EXECUTOR__"
    return {
        f"{section}IN_CLUSTER": "False",
        f"{section}CONFIG_FILE": kubeconfig(folder, url),
        f"{section}NAMESPACE": NAMESPACE,
        f"{section}POD_TEMPLATE_FILE": str(template),
        f"{section}WORKER_PODS_CREATION_BATCH_SIZE": "16",
        "AIRFLOW__CORE__PARALLELISM": "32",
    }
