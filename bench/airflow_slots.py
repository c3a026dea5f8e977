r"""Measures the slots of Airflow's KubernetesExecutor on a real cluster with classic Istio proxies, without and with exeunt.

    .cache/airflow-venv-3.3/bin/python bench/airflow_slots.py --kubeconfig FILE --namespace NAME --agent-image IMAGE \
        --task-image IMAGE --json docs/airflow-slots.json --svg docs/airflow-slots.svg
    python3 bench/airflow_slots.py --from docs/airflow-slots.json --svg docs/airflow-slots.svg

Scheduler, executor, its watcher, the API server, kubelet, Istio's injector and the proxies are real. Two things stand in: the
program in each pod only reports its success, through its proxy, so its image needs no more than `python3`; and this command takes
the report and writes it into Airflow's database, which Airflow's API server does for a worker. The pods must reach this machine.

The namespace must exist, with Istio's injection on. The command deletes the executor's pods in it.
"""

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(folder) for folder in (Path(__file__).resolve().parent, Path(__file__).resolve().parents[1] / "tests")]

from slots.picture import draw  # noqa: E402
from slots.result import Case, Result, Sample, read  # noqa: E402

TASKS, SLOTS = 64, 32
# So long nothing may change before a run counts as stopped, and so long a finished run is still watched.
STILL_S, AFTER_S = 45.0, 5.0
LONGEST_S = 420.0
# Another scheduler looks so often for the pods of one that is gone, which it takes for gone after 30 s without a sign of life.
ADOPTION_S = 30.0


def main() -> int:
    """Measures or draws. Returns 1 if a run with exeunt does not finish."""
    options = _arguments()
    if options.figures:
        result = read(json.loads(options.figures.read_text()))
    else:
        result = _measure(options)
        text = json.dumps(dataclasses.asdict(result), separators=(",", ":")).replace('{"at_s"', '\n{"at_s"')
        options.json.write_text(text + "\n")
    if options.svg:
        options.svg.write_text(draw(result))
    for case in result.cases:
        print(_sentence(case, result))
    return 0 if result.cases[-1].last.succeeded == result.tasks else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespace", help="an existing namespace with Istio's injection")
    parser.add_argument("--kubeconfig", help="the kubeconfig of the cluster")
    parser.add_argument("--agent-image", help="the agent's image")
    parser.add_argument("--task-image", help="an image that has python3")
    parser.add_argument("--address", help="of this machine, for the pods (default: that on the way to the API server)")
    parser.add_argument("--tasks", type=int, default=TASKS, help="how many tasks (default: %(default)s)")
    parser.add_argument("--slots", type=int, default=SLOTS, help="how many of them at once (default: %(default)s)")
    parser.add_argument("--restart-after", type=float, metavar="SECONDS", help="kill the scheduler then, and start another one")
    parser.add_argument("--json", type=Path, default=Path("slots.json"), help="where the figures are written")
    parser.add_argument("--svg", type=Path, help="where the picture is written")
    parser.add_argument("--from", type=Path, dest="figures", metavar="JSON", help="take these figures, and measure nothing")
    options = parser.parse_args()
    if not options.figures and not all((options.namespace, options.kubeconfig, options.agent_image, options.task_image)):
        parser.error("needs --namespace, --kubeconfig, --agent-image and --task-image, or --from")
    return options


def _measure(options: argparse.Namespace) -> Result:
    from airflow.version import version
    from kubernetes import client, config

    kubernetes = client.VersionApi(config.new_client_from_config(options.kubeconfig)).get_code().git_version
    settings = {
        "without exeunt": {"AIRFLOW__EXEUNT__ENABLED": "False"},
        "with exeunt": {"AIRFLOW__EXEUNT__IMAGE": options.agent_image},
    }
    adoption = {}
    if options.restart_after is not None:
        adoption = {"AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": str(ADOPTION_S)}
    cases = tuple(_case(name, options, more | adoption) for name, more in settings.items())
    return Result(options.tasks, options.slots, version, kubernetes, cases)


def _case(name: str, options: argparse.Namespace, more: dict[str, str]) -> Case:
    """One run, until all tasks have succeeded and all pods are gone, or nothing changes any more."""
    from slots.pods import Pods
    from slots.reports import host_towards, receiving
    from slots.scheduler import prepared

    home = Path(tempfile.mkdtemp(prefix="exeunt-slots-"))
    pods = Pods(options.kubeconfig, options.namespace)
    kubeconfig = str(Path(options.kubeconfig).resolve())
    airflow = prepared(
        home,
        kubeconfig=kubeconfig,
        namespace=options.namespace,
        tasks=options.tasks,
        slots=options.slots,
        more=more,
    )
    still = STILL_S if options.restart_after is None else STILL_S + ADOPTION_S
    samples: list[Sample] = []
    start, restart_at, changed = None, None, time.monotonic()
    try:
        address = options.address or host_towards(pods.server)
        with receiving(airflow.report_success, address) as receiver, airflow.scheduling(options.task_image, receiver) as it:
            while time.monotonic() - (start or changed) < LONGEST_S:
                seen = pods.seen()
                now, slots = time.monotonic(), airflow.slots_used()
                if start is None and slots:
                    start, restart_at = now, None if options.restart_after is None else now + options.restart_after
                if restart_at is not None and now >= restart_at:
                    it.restart()
                    restart_at = None
                if start is not None:
                    sample = Sample(round(now - start, 1), slots, seen.pods, seen.stuck, airflow.succeeded())
                    if not samples or dataclasses.replace(samples[-1], at_s=0) != dataclasses.replace(sample, at_s=0):
                        changed = now
                    samples.append(sample)
                    finished = sample.succeeded == options.tasks and not slots and not seen.pods
                    if now - changed > (AFTER_S if finished else still):
                        break
                time.sleep(1)
    finally:
        pods.delete_all()
    if not samples:
        raise RuntimeError(f"the scheduler starts no task: {home}/scheduler.log")
    while pods.seen().pods:
        time.sleep(1)
    shutil.rmtree(home)
    return Case(name, tuple(samples))


def _sentence(case: Case, result: Result) -> str:
    last, full = case.last, next((sample.at_s for sample in case.samples if sample.stuck == result.slots), None)
    done = next((sample.at_s for sample in case.samples if sample.succeeded == result.tasks), None)
    return (
        f"{case.name}: {last.succeeded} of {result.tasks} tasks succeeded"
        + (f", the last after {done:.0f} s" if done is not None else "")
        + (f"; after {full:.0f} s all {result.slots} slots belong to pods whose task has ended" if full is not None else "")
        + f"; at the end, {last.at_s:.0f} s, {last.slots} slots in use, {last.pods} pods, {last.stuck} whose task has ended"
    )


if __name__ == "__main__":
    sys.exit(main())
