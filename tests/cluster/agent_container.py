"""The agent's container as a Kubernetes object, and what it is told of its pod."""

import json
from typing import Any

from .shape import AGENT, AGENT_UID, GRACE_S, Rule, Shape, Where

Json = dict[str, Any]

# What the restricted pod security standard asks of a container.
RESTRICTED: Json = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_STATE = "/run/exeunt"


def agent(shape: Shape, where: Where) -> Json:
    """The container of an agent of this shape, without a restart policy of its own."""
    image = shape.agent_image or where.agent_image
    grace = ["--grace-period", f"{shape.grace_s}s"] if shape.grace_s != GRACE_S and shape.tells_grace else []
    if not shape.shares:
        # With an image and restartPolicy these are the three lines of the documentation.
        told = [*grace, *shape.agent_words]
        return {"name": AGENT, "image": image, **({"args": told} if told else {})}
    return {
        "name": AGENT,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*_words(shape), *grace, *shape.agent_words],
        "env": [istio_status(), *({"name": name, "value": value} for name, value in shape.agent_env)],
        "volumeMounts": [{"name": AGENT, "mountPath": _STATE}],
        "securityContext": {**RESTRICTED, "runAsUser": AGENT_UID, "runAsGroup": AGENT_UID, "readOnlyRootFilesystem": True},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
    }


def _words(shape: Shape) -> list[str]:
    """What the agent is told of the pod."""
    words = ["watch"]
    if "containers" in shape.told:
        words += [word for task in shape.tasks if task.main for word in ("--container", task.name)]
    words += ["--placement", "native" if shape.agent == "native" else "regular"]
    if "policy" in shape.told:
        words += ["--restart-policy", shape.policy]
    if "rules" in shape.told:
        words += [word for task in shape.tasks if task.rule for word in _own_rules(task.name, task.rule)]
    return [*words, "--state-dir", _STATE]


def _own_rules(name: str, rule: Rule) -> tuple[str, ...]:
    return "--restart-policy", f"{name}=Never", "--restart-rules", f"{name}={json.dumps(restart_rules(rule))}"


def restart_rules(rule: Rule) -> list[Json]:
    """The rule as the pod's spec has it."""
    return [{"action": rule.action, "exitCodes": {"operator": "In", "values": [rule.code]}}]


def istio_status() -> Json:
    """The variable that tells the agent the form of its proxy."""
    return {
        "name": "EXEUNT_ISTIO_STATUS",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['sidecar.istio.io/status']"}},
    }
