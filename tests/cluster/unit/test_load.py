"""--load: the loops, what is measured of them, and that they are removed in every case."""

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from cluster import load
from cluster.errors import Interrupted, Refused, RunError
from cluster.load import Load, daemon_set, sentence
from cluster.programs import load as program

Json = dict[str, Any]


def sample(seen: float, node: str = "node1") -> Json:
    return {"node": node, "load": seen, "loops": 20}


class FakeKube:
    """A cluster with one node, whose load average is the next of `loads` with each look; the last one stays."""

    def __init__(self, *loads: float) -> None:
        self._loads = list(loads)
        self._seen: list[Json] = []
        self.exists = False
        self.refuses_deletion = 0

    def create(self, _namespace: str, body: Json) -> None:
        """As in `Kube`."""
        assert body["kind"] == "DaemonSet"
        self.exists = True

    def read(self, kind: str, _namespace: str, _name: str = "", *, selector: str = "") -> Json | None:
        """The DaemonSet, or its pods."""
        if kind == "DaemonSet":
            return {"status": {"desiredNumberScheduled": 1}} if self.exists else None
        assert selector == "exeunt.dev/e2e=load"
        return {"items": [{"metadata": {"name": "load-x"}}] if self.exists else []}

    def log(self, _namespace: str, _pod: str, _container: str) -> str:
        """What the loops have written."""
        if self._loads:
            self._seen.append(sample(self._loads.pop(0)))
        return "".join(json.dumps(one) + "\n" for one in self._seen)

    def delete(self, _kind: str, _namespace: str, _name: str) -> None:
        """As in `Kube`."""
        if self.refuses_deletion:
            self.refuses_deletion -= 1
            raise Refused(0, "no answer")
        self.exists = False


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_POLL_S", 0)


def site(kube: FakeKube, *, stopped: bool = False) -> Any:
    stop = threading.Event()
    if stopped:
        stop.set()
    return SimpleNamespace(kube=kube, namespace="own", stop=stop, where=SimpleNamespace(task_image="python:3"))


def test_the_run_begins_when_the_load_is_reached_and_the_loops_are_removed_at_its_end() -> None:
    kube, said = FakeKube(2, 9, 18.5, 22), list[str]()
    with Load(site(kube), 20, said.append) as made:
        assert kube.exists
    assert not kube.exists
    assert made.measured == "--load 20: load averages of a minute: node1 18 to 22, on average 20"
    assert said[-1] == made.measured


def test_the_loops_are_removed_after_a_failure_too() -> None:
    kube = FakeKube(20)
    kube.refuses_deletion = 2
    with pytest.raises(ValueError, match="a failure"), Load(site(kube), 20, lambda _: None):
        raise ValueError("a failure")
    assert not kube.exists


def test_a_load_that_is_not_reached_is_refused_with_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_RISE_S", 0.05)
    kube = FakeKube(3)
    with pytest.raises(RunError, match=r"--load 20 was not reached within 0\.05 s: .* node1 3 to 3"), Load(site(kube), 20, print):
        pass
    assert not kube.exists


def test_an_interrupt_during_the_rise_removes_the_loops() -> None:
    kube = FakeKube(3)
    with pytest.raises(Interrupted), Load(site(kube, stopped=True), 20, print):
        pass
    assert not kube.exists


def test_loops_that_cannot_be_removed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_REMOVE_S", 0.05)
    kube, said = FakeKube(20), list[str]()
    kube.refuses_deletion = 10**9
    with Load(site(kube), 20, said.append):
        pass
    assert "kubectl -n own delete daemonset load" in said[-2]


def test_without_a_load_nothing_is_created() -> None:
    kube = FakeKube()
    with Load(site(kube), 0, print) as made:
        assert not kube.exists
    assert made.measured == ""


def test_each_node_is_measured_from_the_moment_when_its_load_was_reached() -> None:
    samples = [sample(1), sample(19), sample(23), sample(2, "node2"), sample(30, "node2")]
    assert (
        sentence(20, samples)
        == "--load 20: load averages of a minute: node1 19 to 23, on average 21; node2 30 to 30, on average 30"
    )
    assert sentence(20, []) == ""


def test_a_pod_runs_on_every_node_outside_of_the_mesh() -> None:
    made = daemon_set(20, "python:3")
    pod = made["spec"]["template"]
    assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert pod["spec"]["containers"][0]["command"][2] == "20"
    assert made["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("others", "rising", "loops"), [(0, True, 40), (14, True, 40), (0, False, 20), (13.6, False, 6), (50, False, 1)]
)
def test_there_are_as_many_loops_as_are_missing(others: float, rising: bool, loops: int) -> None:
    assert program.missing(20, others, rising=rising) == loops


def test_a_loop_runs_until_it_is_ended() -> None:
    pid = program.start()
    program.end([pid])
    with pytest.raises(ChildProcessError):
        program.os.waitpid(pid, 0)
