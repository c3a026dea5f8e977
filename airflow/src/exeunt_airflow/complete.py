"""The end of a task, told by the task's own code: for pods that have no agent."""

import http.client
import json
import os
from typing import Any, cast

from exeunt_airflow.log import log


def complete(
    *, container: str = "base", exit_code: int | None = 0, port: int = 15190, timeout: float = 2.0
) -> dict[str, Any] | None:
    """Tells the filter in this pod's proxy that the main container is done; returns its status, or `None` if there is no filter.

    For the last line of a program that runs in a pod of its own. What the program has sent is still delivered; what it sends
    later is not. `timeout` is in seconds. Nothing is raised: a task does not fail because its proxy stays.
    """
    if os.environ.get("AIRFLOW_IS_K8S_EXECUTOR_POD") == "True":
        # The worker has still to report the task's state, through this very proxy.
        log.warning("complete() does nothing in a worker of the KubernetesExecutor: its pod needs the agent")
        return None
    words = {"container": container, "exitCode": exit_code, "action": "quit"}
    headers = {"x-exeunt": "1", "x-exeunt-completion": json.dumps(words)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", "/v1/complete", headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        log.warning("the proxy was not told that the task is done: 127.0.0.1:%d: %s", port, error)
        return None
    finally:
        connection.close()
    # Without the header it is an answer of Envoy's own: the filter is not there.
    if response.status != http.client.ACCEPTED or response.getheader("x-exeunt") is None:
        text = body.decode(errors="replace").strip()
        log.warning("the proxy was not told that the task is done: it answered %d %s", response.status, text)
        return None
    return cast("dict[str, Any]", json.loads(body))
