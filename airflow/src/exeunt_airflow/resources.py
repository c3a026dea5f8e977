"""The requests and limits of the agent's container."""

from typing import TYPE_CHECKING

from exeunt_airflow import quantity

if TYPE_CHECKING:
    from kubernetes.client import V1PodSpec

    from exeunt_airflow.settings import Settings

Amounts = dict[str, str]


def contradictions(settings: "Settings") -> list[str]:
    """Requests above their limits, one sentence for each. The API server refuses such a pod."""
    pairs = (
        ("cpu", settings.cpu_request, settings.cpu_limit, quantity.cores),
        ("memory", settings.memory_request, settings.memory_limit, quantity.octets),
    )
    return [
        f"{name}_request is {request!r}: must be at most {name}_limit, which is {limit!r}"
        for name, request, limit, amount in pairs
        if request is not None and limit is not None and amount(request) > amount(limit)
    ]


def of(settings: "Settings", spec: "V1PodSpec") -> tuple[Amounts, Amounts] | None:
    """The requests and the limits, or none at all.

    A pod that has requests or limits of its own, as a whole, shares them out among its containers. The agent then asks for
    nothing: the API server refuses a pod whose containers request more than the pod.
    """
    # The Kubernetes client knows this field since version 32.
    whole = getattr(spec, "resources", None)
    if whole is not None and (whole.requests or whole.limits):
        return None
    requests = _without_none(settings.cpu_request, settings.memory_request)
    limits = _without_none(settings.cpu_limit, settings.memory_limit)
    return (requests, limits) if requests or limits else None


def _without_none(cpu: str | None, memory: str | None) -> Amounts:
    return {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount is not None}
