"""./build.sh bench jobs: the Jobs that are compared, and pods that are not what they stand for."""

import argparse
import base64
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jobs
import kinds
from stopwatch import Stopwatch

Json = dict[str, Any]

URL = "oci://registry.example.com/exeunt@sha256:12"


def made(kind: str, form: str = "native") -> Json:
    images = {"agent_image": "example.com/agent", "task_image": "example.com/task", "module_image": "example.com/module"}
    return kinds.job("some", kind, form, **images, pods=3, sleep_s=1)


@pytest.mark.parametrize("form", kinds.FORMS)
@pytest.mark.parametrize("kind", ["without", "injected"])
def test_a_job_without_a_line_has_nothing_of_exeunt(kind: str, form: str) -> None:
    template = made(kind, form)["spec"]["template"]
    assert not kinds.has_agent(template)
    assert [*template["spec"]] == ["restartPolicy", "containers"]
    assert template["metadata"].get("labels", {}) == ({"exeunt.dev/drain": "off"} if kind == "without" else {})
    assert template["metadata"]["annotations"] == {"sidecar.istio.io/nativeSidecar": str(form == "native").lower()}


@pytest.mark.parametrize("form", kinds.FORMS)
@pytest.mark.parametrize("kind", ["lines", *kinds.WITH_PLUGIN])
def test_the_other_jobs_have_the_lines_of_the_sample(kind: str, form: str) -> None:
    body = made(kind, form)
    spec = body["spec"]["template"]["spec"]
    assert (body["spec"]["completions"], body["spec"]["parallelism"]) == (3, 3)
    assert spec.get("shareProcessNamespace", False) == (form == "classic")
    assert [one["image"] for one in (*spec["initContainers"], *spec["containers"])] == ["example.com/agent", "example.com/task"]


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("configMap", {"configMap": {"name": "exeunt-module"}}),
        ("imageVolume", {"image": {"reference": "example.com/module", "pullPolicy": "IfNotPresent"}}),
    ],
)
def test_the_module_is_mounted_where_the_plugin_looks_for_it(kind: str, source: Json, tmp_path: Path) -> None:
    annotations = made(kind)["spec"]["template"]["metadata"]["annotations"]
    (volume,) = json.loads(annotations["sidecar.istio.io/userVolume"])
    (mount,) = json.loads(annotations["sidecar.istio.io/userVolumeMount"])
    assert volume == {"name": mount["name"], **source}
    module = tmp_path / "exeunt.wasm"
    module.write_bytes(b"\0asm")
    plugin, *others = kinds.objects(kind, URL, module)
    assert plugin["spec"]["url"] == f"file://{mount['mountPath']}/plugin.wasm"
    if kind == "configMap":
        assert base64.b64decode(others[0]["binaryData"]["plugin.wasm"]) == b"\0asm"
        assert others[0]["metadata"]["name"] == source["configMap"]["name"]


def test_the_proxies_pull_only_where_that_is_measured(tmp_path: Path) -> None:
    assert [kinds.objects(kind, URL, tmp_path) for kind in ("without", "injected", "lines")] == [[], [], []]
    (plugin,) = kinds.objects("registry", URL, tmp_path)
    assert plugin["spec"]["url"] == URL
    assert "sidecar.istio.io/userVolume" not in made("registry")["spec"]["template"]["metadata"]["annotations"]


class FakeKube:
    """A cluster in which the pods of each Job start and end at once."""

    def __init__(self, *, agent: bool, route: str = "", log: str = "") -> None:
        self._agent, self._route, self._log = agent, route, log
        self._pods: list[Json] = []
        self.deleted: list[str] = []

    def create(self, _namespace: str, body: Json) -> None:
        """As in `Kube`."""
        if body["kind"] == "Job":
            self._pods += [self._pod(body["metadata"]["name"], number) for number in range(body["spec"]["completions"])]

    def delete(self, kind: str, _namespace: str, name: str) -> None:
        """As in `Kube`."""
        self.deleted.append(f"{kind} {name}")

    def log(self, _namespace: str, _pod: str, container: str) -> str:
        """As in `Kube`."""
        return self._log if container == "istio-proxy" else ""

    def watch_pods(
        self, _namespace: str, stop: threading.Event, listed: Callable[[list[Json]], None], _seen: Callable[[Json], None]
    ) -> None:
        """As in `Kube`."""
        while not stop.wait(0.01):
            listed(list(self._pods))

    def _pod(self, job: str, number: int) -> Json:
        end = {"terminated": {"exitCode": 0, "message": json.dumps({"route": self._route})}}
        names = ["main", "exeunt"] if self._agent else ["main"]
        return {
            "metadata": {"uid": f"{job}-{number}", "name": f"{job}-{number}", "labels": {"batch.kubernetes.io/job-name": job}},
            "spec": {"containers": [{"name": name} for name in names]},
            "status": {"phase": "Succeeded", "containerStatuses": [{"name": name, "state": end} for name in names]},
        }


def result(kind: str, kube: FakeKube, module: Path, monkeypatch: pytest.MonkeyPatch) -> Json:
    module.write_bytes(b"\0asm")
    monkeypatch.setenv("EXEUNT_WASM", str(module))
    options = argparse.Namespace(revision="", plugin_url=URL, agent_image="agent", task_image="task", module_image="module")
    place = jobs.Place(kube, kind, "namespace", options)  # type: ignore[arg-type]
    ran = place.run("some", "native", 2)
    place.watch.stop()
    assert kube.deleted == ["Job some"]
    return ran


@pytest.mark.parametrize(
    ("kind", "kube", "wrong"),
    [
        ("without", FakeKube(agent=False), ""),
        ("without", FakeKube(agent=True), "has an agent"),
        ("injected", FakeKube(agent=False), "has no agent"),
        ("lines", FakeKube(agent=True, route="admin"), ""),
        ("lines", FakeKube(agent=True, route="filter 127.0.0.1:15190"), "was drained by filter 127.0.0.1:15190"),
        ("registry", FakeKube(agent=True, route="filter 127.0.0.1:15190"), ""),
        ("configMap", FakeKube(agent=True, route="admin"), "was drained by admin"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pod_that_is_not_what_it_stands_for_is_found(
    kind: str, kube: FakeKube, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = result(kind, kube, tmp_path / "exeunt.wasm", monkeypatch)["wrong"]
    assert bool(found) == bool(wrong)
    assert all(wrong in line for line in found)


def test_the_pulls_of_all_proxies_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = "info wasm fetching image exeunt from registry r with tag 1\ninfo other\n"
    kube = FakeKube(agent=True, route="filter 127.0.0.1:15190", log=log)
    assert result("registry", kube, tmp_path / "exeunt.wasm", monkeypatch)["pulls"] == 2


def test_pods_that_do_not_start_end_the_run() -> None:
    kube = FakeKube(agent=False)
    watch = Stopwatch(kube, "namespace")  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="some: 0 of 1 pods have started within 0 s"):
        watch.wait("some", 1, lambda seen: seen.started, "have started", 0.1)
    watch.stop()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("later", "wrong"), [(251.0, True), (249.0, False)])
def test_a_task_that_starts_too_late_is_named(later: float, wrong: bool, capsys: pytest.CaptureFixture[str]) -> None:
    bench = jobs.Bench([], argparse.Namespace(runs=1))
    for kind, start in (("without", 3000.0), ("lines", 3000.0 + later)):
        bench.note("native", kind, 1, [{"started": [start], "left": [2000.0], "pulls": 0, "wrong": []}])
    assert bool(bench.wrong) == wrong
    assert f"+{later:,.0f}" in capsys.readouterr().out


def test_the_ratio_is_that_of_pods_of_the_same_round(capsys: pytest.CaptureFixture[str]) -> None:
    bench = jobs.Bench([], argparse.Namespace(runs=3))
    for kind, starts in (("without", [1000.0, 4000.0, 2000.0]), ("lines", [1100.0, 4400.0, 2200.0])):
        bench.note("native", kind, 1, [{"started": [start], "left": [], "pulls": 0, "wrong": []} for start in starts])
    assert [row["ratio"] for row in bench.rows] == pytest.approx([1.0, 1.1])
    assert capsys.readouterr().out.splitlines()[-1].split() == ["lines", "2,567", "+233", "1.10", "never", "0"]


def test_pods_in_turn_are_not_in_step_with_kubelet(monkeypatch: pytest.MonkeyPatch) -> None:
    class Quick:
        """A namespace whose pods start and end at once."""

        kind = "without"

        def run(self, _name: str, _form: str, _pods: int) -> Json:
            """The times of a pod."""
            return {"started": [1.0], "left": [1.0], "pulls": 0, "wrong": []}

    pauses: list[float] = []
    monkeypatch.setattr(jobs.time, "sleep", pauses.append)
    jobs.Bench([Quick()], argparse.Namespace(runs=20)).in_turn("native")  # type: ignore[list-item]
    assert len(set(pauses)) == 21
    assert 0 <= min(pauses) < 0.5 < max(pauses) <= 1


def test_a_job_whose_pods_are_refused_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(FakeKube):
        """A cluster that refuses the pods of each Job."""

        def create(self, _namespace: str, body: Json) -> None:
            """No pod is made."""

        def read(self, kind: str, _namespace: str, _name: str) -> Json:
            """Events of this Job and of another one."""
            assert kind == "Event"
            said = [("FailedCreate", "other", "no"), ("FailedCreate", "some", "exceeded quota"), ("Completed", "some", "yes")]
            return {
                "items": [
                    {"reason": reason, "involvedObject": {"name": name}, "message": message} for reason, name, message in said
                ]
            }

    monkeypatch.setattr(jobs, "_WITHIN_S", 0.1)
    monkeypatch.setattr(jobs, "_MORE_S", 0.0)
    with pytest.raises(TimeoutError, match=r"some: 0 of 2 pods have started within 0 s; .*; FailedCreate: exceeded quota$"):
        result("lines", Refusing(agent=True), tmp_path / "exeunt.wasm", monkeypatch)
