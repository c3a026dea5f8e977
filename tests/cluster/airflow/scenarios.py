"""Each row and column of the matrix on the cluster, a task that is killed, and how much of a slow upload arrives."""

from functools import partial

from .. import observed
from ..errors import Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..scenarios.common import MB, RATE, SMALL, upload
from ..shape import AGENT
from . import delivery
from .rows import COLUMNS, ROWS
from .task import AirflowTask

# The task begins its upload when Airflow has had time to show its first line: it looks every five seconds for a new pod.
_BEFORE_S = 15
# A second container begins its upload when the task has ended, and sends for some seconds more.
_SECOND_BEFORE_S = 21
_TASK = upload("--before", str(_BEFORE_S), size=SMALL)
_SECOND = upload("--before", str(_SECOND_BEFORE_S), size=SMALL, rate=RATE // 2)
# A pod with a grace period of 0 must not need one.
_FAST = upload("--before", str(_BEFORE_S), size=MB, rate=0)
_XCOM_VALUE = {"rows": 42}
_DELIVERED = "everything was delivered"
KILLED = "PodOperator, on_kill"
_KILL_AFTER_S = 3.0


def _row(short: str, column: str, run: ScenarioRun) -> None:
    title, with_exeunt = ROWS[short], column != "without"
    _need(run, title, column)
    fast = "termination_grace_period=0" in title
    with AirflowTask(run, title, COLUMNS[column], _FAST if fast else _TASK, _SECOND) as task:
        word = task.wait()
        end = "stays NotReady" if word == "waits forever" else task.end_of_pod()
        if end == "deleted":
            task.wait_gone()
        run.main_containers = task.main_containers()
        # Before the bytes: a pod without exeunt that stays keeps its connection.
        run.observe()
        run.note("; ".join(filter(None, (word, end, str(task.result.get("failure", ""))))))
        if word != "waits forever":
            _check_as_in_table(run, task, word, end)
        else:
            _check_hangs(run, column)
        pod = run.watched.pod(run.name) or {"spec": {"containers": []}}
        has_agent = AGENT in [one["name"] for one in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]]
        run.check(has_agent == with_exeunt, f"the pod has {'an' if has_agent else 'no'} agent")
        run.check(f"[{AGENT}]" not in task.log(), "the agent's log is in the log of the task")
        _check_live(run, task, title)
        if with_exeunt:
            _check_bytes(run, title, MB if fast else SMALL)
            _check_value(run, task, title, column)
        task.clean_up()


def _need(run: ScenarioRun, title: str, column: str) -> None:
    forms = {"native" if "native proxy" in title or column == "native" else "classic"}
    if not forms <= run.site.forms:
        raise Skip(f"this Istio makes no {forms.pop()} sidecar")
    if column in ("native", "agent-native") and not run.site.native_agent:
        raise Skip("this Kubernetes is older than 1.29: no native sidecars")


def _check_as_in_table(run: ScenarioRun, task: AirflowTask, word: str, end: str) -> None:
    """What is seen is what docs/airflow-matrix.md says, but for the moment of a deletion, which depends on who is faster."""
    expected = str(task.result["expected"])
    run.check(bool(expected), "docs/airflow-matrix.md has no such cell")
    seen = f"{word}; {end}"
    run.check(seen == expected.removesuffix(" while its proxy was running"), f"{seen}, but the matrix says: {expected}")


def _check_hangs(run: ScenarioRun, column: str) -> None:
    run.check(column == "without", "the operator waits forever with exeunt")


def _check_live(run: ScenarioRun, task: AirflowTask, title: str) -> None:
    """KubernetesPodOperator shows the log of the task while the task runs. A deferred one shows it at the end."""
    if not title.startswith("PodOperator") or "deferrable" in title:
        return
    first, ended = task.first_line_at, task.main_ended_at
    run.check(first is not None, "the first line of the task is not in its log")
    if first is not None and ended is not None:
        run.check(first < ended, f"the first line of the task came {first - ended:.1f} s after its end")


def _check_bytes(run: ScenarioRun, title: str, size: int) -> None:
    """Whatever Airflow does with the pod, everything arrives."""
    names = ["base", *(["second"] if "second container" in title else [])]
    for name in names:
        run.wait_received(name)
    run.check_delivered(size + SMALL * (len(names) - 1))


def _check_value(run: ScenarioRun, task: AirflowTask, title: str, column: str) -> None:
    if "XCom" in title:
        value = task.result.get("value")
        run.check(value == _XCOM_VALUE, f"the XCom value is {value}")
    # A native agent ends after XCom's helper, and the pod can be gone before anybody reads its verdict.
    if "ExeuntCallback" in title and (column == "agent-regular" or "XCom" not in title):
        lines = [line for line in task.log().splitlines() if _DELIVERED in line]
        run.check(len(lines) == 1, f"{len(lines)} lines of the task's log say that everything was delivered")


def _killed(column: str, run: ScenarioRun) -> None:
    _need(run, KILLED, column)
    with AirflowTask(run, KILLED, COLUMNS[column], ("wait", "--work", "600")) as task:
        run.wait("the task to run", lambda pod: observed.is_running(pod, "base"))
        run.site.stop.wait(_KILL_AFTER_S)
        task.kill()
        word = task.wait()
        # Airflow's supervisor decides the state of a killed task. The operator fails if the pod is gone when it looks again.
        run.check(word != "waits forever", "the operator of a killed task waits forever")
        end = task.end_of_pod()
        run.check(end == "deleted", f"the pod of a task that is killed is not deleted: {end}")
        task.wait_gone()
        run.main_containers = ["base"]
        run.observe()
        run.note(f"the operator {word}; {end}")
        task.clean_up()


SCENARIOS = (
    *(
        Scenario(
            f"airflow-{short}-{column}",
            f"the row {title}, {words}, is as in the matrix",
            partial(_row, short, column),
            airflow=True,
        )
        for short, title in ROWS.items()
        for column, words in COLUMNS.items()
    ),
    *(
        Scenario(
            f"airflow-killed-{column}",
            f"{KILLED}, {words}: the operator ends, and its pod is deleted",
            partial(_killed, column),
            airflow=True,
        )
        for column, words in COLUMNS.items()
    ),
    *delivery.SCENARIOS,
)
