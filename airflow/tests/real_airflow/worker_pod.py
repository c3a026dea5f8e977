"""The pod of an executor's worker."""

from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import V1Container, V1Pod, V1PodSpec

from .cluster_access import NAMESPACE
from .task import DAG, RUN

SCHEDULER_JOB = "7"


def worker_pod(task: str, override: V1Pod | None = None) -> V1Pod:
    """The pod that the executor's own code builds for a task. That code calls the hook."""
    template = V1Pod(spec=V1PodSpec(containers=[V1Container(name="base", image="apache/airflow")], restart_policy="Never"))
    return PodGenerator.construct_pod(
        dag_id=DAG,
        task_id=task,
        pod_id=f"example-dag-{task}",
        try_number=1,
        kube_image="apache/airflow",
        date=None,
        args=["airflow", "tasks", "run"],
        pod_override_object=override,
        base_worker_pod=template,
        namespace=NAMESPACE,
        scheduler_job_id=SCHEDULER_JOB,
        run_id=RUN,
        with_mutation_hook=True,
    )
