"""The pods of the workers, as the cluster has them."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client, config


@dataclass(frozen=True)
class Seen:
    """The pods at one moment."""

    # Pods that are there.
    pods: int
    # Those whose task has ended while the pod still runs.
    stuck: int


class Pods:
    """The pods of the executor in one namespace."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        """Connects to the cluster of the kubeconfig."""
        connection = config.new_client_from_config(kubeconfig)
        self._core = client.CoreV1Api(connection)
        self.server = urlsplit(connection.configuration.host).hostname or ""
        self._namespace = namespace

    def seen(self) -> Seen:
        """Looks at them."""
        answer = self._core.list_namespaced_pod(
            self._namespace, label_selector="kubernetes_executor=True", _preload_content=False, _request_timeout=20
        )
        pods = json.loads(answer.data)["items"]
        return Seen(len(pods), sum(pod["status"].get("phase") == "Running" and _task_has_ended(pod) for pod in pods))

    def delete_all(self) -> None:
        """Deletes all that are left."""
        self._core.delete_collection_namespaced_pod(
            self._namespace, label_selector="kubernetes_executor=True", grace_period_seconds=1
        )


def _task_has_ended(pod: Any) -> bool:
    """Whether the main container has exited with 0."""
    for status in pod["status"].get("containerStatuses", []):
        if status["name"] == "base":
            return status["state"].get("terminated", {}).get("exitCode") == 0
    return False
