"""A scenario, and its outcome."""

from dataclasses import dataclass, field
from typing import Any, Literal

from fake_kubernetes.injector import Form

Runner = Literal["executor", "operator", "deferrable", "job"]


@dataclass(frozen=True)
class Scenario:
    """One row of docs/airflow-matrix.md."""

    # What runs the task: KubernetesExecutor, KubernetesPodOperator, the same with deferrable=True, or KubernetesJobOperator.
    runner: Runner
    form: Form
    exit_code: int = 0
    # Arguments of the operator.
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    # Whether the upload takes three seconds instead of a half, so that the proxy runs until Airflow, also a slow one, has acted.
    slow: bool = False


@dataclass(frozen=True)
class Outcome:
    """What Airflow makes of the task, and what happens to the pod."""

    task: str
    pod: str
    # What the operator returned.
    value: Any = None
    # The containers whose logs Airflow asked for, in this order.
    logs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.task}; {self.pod}"
