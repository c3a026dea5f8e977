"""The label app.kubernetes.io/name, from which Istio takes the name of a workload.

Without it Istio takes the name of the pod, so every pod is a service of its own: metrics grow with every run, and Istio 1.20 and
older refuse a pod whose name is longer than 63 characters. This package sets the name of the task. It is the same for every run
and for every mapped instance.
"""

import hashlib
import re
from collections.abc import Mapping

LABEL = "app.kubernetes.io/name"
# In the order in which Istio looks for them (istio manifests/charts/istio-control/istio-discovery/files/injection-template.yaml).
_NAMED_BY = ("service.istio.io/canonical-name", LABEL, "app")
# The longest value of a label in Kubernetes.
_MAX_LENGTH = 63
_DIGEST_LENGTH = 8


def missing(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str | None:
    """The name for a pod without one. `None` if it has one, or if the pod does not say which task it belongs to."""
    if any(labels.get(label) for label in _NAMED_BY):
        return None
    # The executor writes the full ids into annotations. A label has only as much as fits.
    ids = [annotations.get(key) or labels.get(key) for key in ("dag_id", "task_id")]
    return as_label(".".join(filter(None, ids))) if all(ids) else None


def as_label(name: str) -> str:
    """`name` as the value of a label: unchanged if it is valid, else its valid part and eight digits of its SHA-256."""
    valid = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-_.")
    if valid == name and len(name) <= _MAX_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    valid = valid[: _MAX_LENGTH - _DIGEST_LENGTH - 1].rstrip("-_.")
    return f"{valid}-{digest}" if valid else digest
