"""Ordinary Jobs, and what has them: nothing in them is exeunt's, but a pod's label may speak of it."""

from typing import Any

from .. import pods
from ..shape import LABEL, Istio, Shape, Where

Json = dict[str, Any]

FORM = "sidecar.istio.io/nativeSidecar"


def ordinary(istio: Istio, **changes: Any) -> Shape:
    """A pod without exeunt, beside a proxy of this form."""
    return Shape(istio=istio, agent="none", listener=False, exit_on_zero=False, **{"drain": "", **changes})


def plain_job(name: str, shape: Shape, where: Where) -> Json:
    """A Job whose pod has no annotation at all: the cluster decides the form of its proxy."""
    body = pods.job(name, shape, where)
    del body["spec"]["template"]["metadata"]["annotations"]
    return body


def indexed(name: str, shape: Shape, where: Where, number: int) -> Json:
    """An Indexed Job with all of its pods at once."""
    body = pods.job(name, shape, where)
    body["spec"] |= {"completionMode": "Indexed", "completions": number, "parallelism": number}
    return body


def cron_job(name: str, shape: Shape, where: Where) -> Json:
    """A CronJob that is due at the beginning of the next minute."""
    made = pods.job(name, shape, where)
    spec = {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": made["spec"]}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "labels": {LABEL: name}}, "spec": spec}
