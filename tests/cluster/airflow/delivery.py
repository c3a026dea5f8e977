"""How much of a slow upload arrives when an operator deletes the pod or kubelet ends the native proxy, and what Airflow tells."""

from dataclasses import dataclass
from functools import partial

from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..scenarios.common import MB, SMALL, upload
from .rows import COLUMNS
from .task import AirflowTask

# Eight seconds for the receiver.
_DELETED = upload(size=SMALL, rate=MB // 2)
# Twenty seconds for the receiver: more than four times the grace period of those pods.
_NATIVE_SIZE = 3 * MB
_NATIVE = upload(size=_NATIVE_SIZE, rate=150_000)
# Longer than any drain here, which some of the tasks wait for.
_DRAIN_S = 90.0
_DELETE = "PodOperator, delete_pod"
_CALLBACK = "ExeuntCallback"


@dataclass(frozen=True)
class Upload:
    """One upload that is measured."""

    short: str
    title: str
    column: str
    # Whether everything must arrive. What must not is a control, or a limit that the documentation names. None: it depends on
    # when Airflow looks at the pod, and is only measured.
    arrives: bool | None
    # What the log of the task must tell; empty if nothing tells it.
    told: str = ""
    words: tuple[str, ...] = _DELETED
    size: int = SMALL


_DELIVERED = "everything was delivered"
_LOST = "were not delivered"
_GRACE_1 = f"{_DELETE}, termination_grace_period=1"
_GRACE_5 = f"PodOperator, keep_pod, native proxy, termination_grace_period=5, {_CALLBACK}"
UPLOADS = (
    Upload("grace-30-without", _DELETE, "without", arrives=None),
    Upload("grace-30", _DELETE, "agent-native", arrives=True),
    Upload("grace-30-callback", f"{_DELETE}, {_CALLBACK}", "agent-native", arrives=True, told=_DELIVERED),
    Upload("grace-1-without", _GRACE_1, "without", arrives=False),
    Upload("grace-1", _GRACE_1, "agent-native", arrives=False),
    Upload("grace-1-callback", f"{_GRACE_1}, {_CALLBACK}", "agent-native", arrives=True, told=_DELIVERED),
    Upload("grace-5-without", _GRACE_5, "without", False, "", _NATIVE, _NATIVE_SIZE),
    Upload("grace-5-native", _GRACE_5, "native", False, _LOST, _NATIVE, _NATIVE_SIZE),
    Upload("grace-5-agent-native", _GRACE_5, "agent-native", False, _LOST, _NATIVE, _NATIVE_SIZE),
    Upload("grace-5-agent-regular", _GRACE_5, "agent-regular", True, _DELIVERED, _NATIVE, _NATIVE_SIZE),
)


def _measure(one: Upload, run: ScenarioRun) -> None:
    with AirflowTask(run, one.title, COLUMNS[one.column], one.words) as task:
        word = task.wait(_DRAIN_S)
        run.check(word == "succeeds", f"the task {word}")
        if task.end_of_pod() == "deleted":
            task.wait_gone()
        run.wait_received()
        run.observe()
        run.check_phase("deleted" if "delete_pod" in one.title else "Succeeded")
        if one.arrives:
            run.check_delivered(one.size)
        elif one.arrives is False:
            run.check_incomplete(one.size)
        run.facts.written = one.size
        lines = [line.split("] ", 1)[-1].split("  ")[0] for line in task.log().splitlines() if "the proxy" in line]
        run.check(any(one.told in line for line in lines) if one.told else not lines, f"the log of the task tells: {lines}")
        run.note(f"the log of the task tells: {'; '.join(lines) or 'nothing'}")
        task.clean_up()


SCENARIOS = tuple(
    Scenario(
        f"airflow-delivery-{one.short}",
        f"a slow upload in the row {one.title}, {COLUMNS[one.column]}",
        partial(_measure, one),
        airflow=True,
    )
    for one in UPLOADS
)
