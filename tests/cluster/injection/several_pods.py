"""A Job with twenty pods at once, and a CronJob."""

import time

from .. import observed
from ..scenario_run import ScenarioRun
from ..scenarios.common import RATE, SIZE, upload_task
from ..shape import AGENT, LABEL, MAIN, PROXY, Istio, Task
from . import objects
from .forms import of_each_form
from .objects import ordinary
from .ordinary_run import check_given, check_injected, start_body

_PODS = 20
# The next minute, and the start of a pod.
_DUE_S = 120.0
# Twenty pods start at once on one node.
_MANY_S = 600.0


def _indexed(istio: Istio, run: ScenarioRun) -> None:
    part = SIZE // _PODS
    task = Task(("upload", "--bytes", str(part), "--rate", str(RATE // _PODS)))
    start_body(run, objects.indexed(run.name, ordinary(istio, tasks=(task,)), run.site.where, _PODS))
    run.wait_until("the Job to end", lambda: bool(run.job_end()), _MANY_S)
    run.wait_received(attempts=_PODS)
    run.facts.job = run.job_end()
    run.check_job("Complete")
    run.check_delivered(SIZE)
    found = run.site.kube.read("Pod", run.namespace, selector=f"{LABEL}={run.name}")
    made = found["items"] if found else []
    run.check(len(made) == _PODS, f"the Job has {len(made)} pods, not {_PODS}")
    run.facts.phase = f"{sum(observed.phase(pod) == 'Succeeded' for pod in made)} of {_PODS} Succeeded"
    for pod in made:
        name = pod["metadata"]["name"]
        check_given(run, pod)
        run.check(observed.phase(pod) == "Succeeded", f"{name}: {observed.summary(pod)}")
        verdict = observed.verdict(pod) or {}
        run.check(str(verdict.get("route")).startswith("filter"), f"{name}: the verdict says route {verdict.get('route')}")
    run.note(_span(made))


def _span(made: list[observed.Json]) -> str:
    """How long it took from the creation of the first pod to the first and the last start of a task, and to the last end."""
    created = min(observed.created_at(pod) for pod in made)
    starts = [start for pod in made if (start := observed.started_at(pod, MAIN))]
    ends = [end for pod in made for name in (MAIN, AGENT, PROXY) if (end := observed.finished_at(pod, name))]
    if not starts or not ends:
        return "no task has started"
    first, last, over = (round((one - created).total_seconds()) for one in (min(starts), max(starts), max(ends)))
    return f"the tasks started {first} to {last} s after the creation of the Job's pods, and the last pod ended after {over} s"


def _cron_job(istio: Istio, run: ScenarioRun) -> None:
    run.create(objects.cron_job(run.name, ordinary(istio, tasks=upload_task()), run.site.where))
    began = time.monotonic()
    pod = run.wait("the CronJob's pod", lambda _pod: True, _DUE_S)
    run.site.kube.patch("CronJob", run.namespace, run.name, {"spec": {"suspend": True}})
    run.note(f"due after {time.monotonic() - began:.0f} s")
    run.wait_ended()
    run.wait_received()
    check_injected(run, istio)
    run.check_delivered(SIZE)
    (owner,) = pod["metadata"]["ownerReferences"]
    run.wait_until("the CronJob's Job to end", lambda: bool(run.job_end(owner["name"])))
    run.facts.job = run.job_end(owner["name"])
    run.check_job("Complete")


CRON_JOBS = of_each_form("cron-job", "a slow upload of an ordinary CronJob arrives completely", _cron_job)
# So many proxies ask for all the CPU of a small node, so nothing else runs at the same time.
INDEXED = of_each_form(
    "indexed", f"the slow uploads of {_PODS} pods of an Indexed Job arrive completely, all at once", _indexed, last=True
)
