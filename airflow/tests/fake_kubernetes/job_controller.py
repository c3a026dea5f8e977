"""What Kubernetes' job controller does for a job with one pod and `backoffLimit: 0`."""

import copy

from .store import Json, now

_JOB_LABEL = "job-name"


def pod_of(job: Json) -> Json:
    """The pod that the controller creates for a job."""
    template = copy.deepcopy(job["spec"]["template"])
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    labels = (template["metadata"].get("labels") or {}) | {_JOB_LABEL: name}
    metadata = template["metadata"] | {"name": f"{name}-x", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def job_of(pod: Json) -> str | None:
    """The name of the job that a pod belongs to."""
    job: str | None = (pod["metadata"].get("labels") or {}).get(_JOB_LABEL)
    return job


def status_after(pod: Json) -> Json:
    """The status of a job whose only pod has ended."""
    succeeded = pod["status"]["phase"] == "Succeeded"
    condition = {
        "type": "Complete" if succeeded else "Failed",
        "status": "True",
        "reason": "" if succeeded else "BackoffLimitExceeded",
        "lastTransitionTime": now(),
    }
    if succeeded:
        return {"conditions": [condition], "succeeded": 1, "completionTime": now()}
    return {"conditions": [condition], "failed": 1}
