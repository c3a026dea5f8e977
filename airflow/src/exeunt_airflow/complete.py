"""Lets the task's own code report that the task has ended: for pods without an agent."""

import http.client
import json
import os
from typing import Any, cast

from exeunt_airflow.log import log


def complete(
    *, container: str = "base", exit_code: int | None = 0, port: int = 15190, timeout: float = 2.0
) -> dict[str, Any] | None:
    """Tells the filter in this pod's proxy that the main container is done. Returns the filter's status; `None` without a filter.

    Call it in the last line of a program that has a pod of its own. The proxy still delivers what the program has sent, but
    nothing that it sends later. `timeout` is in seconds. The function never raises: a task must not fail because its proxy keeps
    running.
    """
    if os.environ.get("AIRFLOW_IS_K8S_EXECUTOR_POD") == "True":
        # After this call the worker still has to report the state of the task, through this very proxy.
        log.warning("complete() does nothing in a worker of the KubernetesExecutor: its pod needs the agent")
        return None
    completion = {"container": container, "exitCode": exit_code, "action": "quit"}
    headers = {"x-exeunt": "1", "x-exeunt-completion": json.dumps(completion)}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", "/v1/complete", headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        log.warning("the proxy does not know that the task is done: 127.0.0.1:%d: %s", port, error)
        return None
    finally:
        connection.close()
    # Without this header the answer comes from Envoy itself: the filter is not there.
    if response.status != http.client.ACCEPTED or response.getheader("x-exeunt") is None:
        text = body.decode(errors="replace").strip()
        log.warning("the proxy does not know that the task is done: it answered %d %s", response.status, text)
        return None
    return cast("dict[str, Any]", json.loads(body))
