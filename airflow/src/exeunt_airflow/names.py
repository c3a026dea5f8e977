"""The label app.kubernetes.io/name, from which Istio takes a workload's name.

Without it every pod is a service of its own, named after the pod: metrics grow with every run, and up to Istio 1.20 a pod with a
name of more than 63 characters is not admitted at all. The name is the task's, the same for every run and every mapped instance.
"""

import hashlib
import re
from collections.abc import Mapping

LABEL = "app.kubernetes.io/name"
# In Istio's order (istio manifests/charts/istio-control/istio-discovery/files/injection-template.yaml): who has one has a name.
_NAMED_BY = ("service.istio.io/canonical-name", LABEL, "app")
# Kubernetes allows a label's value as much, and these characters, with a letter or digit at both ends.
_LONGEST = 63
_DIGEST = 8


def missing(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str | None:
    """The name for a pod that has none; `None` where it has one, or where it is not told which task it belongs to."""
    if any(labels.get(label) for label in _NAMED_BY):
        return None
    # The executor's annotations have the names in full, the labels as far as a label holds them.
    ids = [annotations.get(key) or labels.get(key) for key in ("dag_id", "task_id")]
    return safe(".".join(filter(None, ids))) if all(ids) else None


def safe(name: str) -> str:
    """`name` as a label's value: itself if it is one, else what can be kept of it and eight digits of its SHA-256."""
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-_.")
    if kept == name and len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    kept = kept[: _LONGEST - _DIGEST - 1].rstrip("-_.")
    return f"{kept}-{digest}" if kept else digest
