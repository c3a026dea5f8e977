"""What the scenarios of the group `trust` share."""

import json
import subprocess
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.errors import Refused, RunError, Skip
from cluster.options import Options
from cluster.pods import pod
from cluster.scenario_run import ScenarioRun
from cluster.scenarios import second_pod, trust
from cluster.scenarios.trust import attack
from cluster.shape import LABEL, Where

Json = dict[str, Any]


class Kube:
    """Remembers what was created and deleted."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.created: list[Json] = []
        self.deleted: list[tuple[str, str]] = []

    def create(self, _namespace: str, body: Json) -> Json:
        """Answers as the API server does for a Service, or refuses."""
        if self.refuses:
            raise Refused(self.refuses, "no")
        self.created.append(body)
        return {"spec": {"clusterIP": "fd00::7"}}

    def delete(self, kind: str, _namespace: str, name: str) -> None:
        """Remembers it."""
        self.deleted.append((kind, name))


def run_with(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> ScenarioRun:
    monkeypatch.setattr(ScenarioRun, "need", lambda *_: None)
    monkeypatch.setattr(ScenarioRun, "collect_evidence", lambda run: run.evidence.update(pod=run.name))
    site: Any = SimpleNamespace(
        kube=kube, namespace="ns", options=Options(), stop=threading.Event(), where=Where("task:1", "agent:1", "10.0.0.9:9000")
    )
    return ScenarioRun(site, "victim")


def test_the_group_has_names_of_its_own_and_sentences() -> None:
    names = [scenario.name for scenario in trust.SCENARIOS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("trust-") for name in names)


def test_a_script_stops_at_the_step_that_fails_and_is_the_last_one_itself() -> None:
    shell, flag, text = attack.script("a.py one", "b.py two")
    assert (shell, flag) == ("sh", "-c")
    assert text == "python3 /e2e/task.py wait && python3 /e2e/a.py one && exec python3 /e2e/b.py two"
    # What the shell makes of it, without the programs.
    done = subprocess.run(["sh", "-n", "-c", text], check=False)
    assert done.returncode == 0


def test_an_endless_step_is_in_the_background() -> None:
    *_, text = attack.until_the_proxy_ends("servers.py impostor 202 '{}'")
    assert text.endswith("servers.py impostor 202 '{}' & exec python3 /e2e/task.py helper")


def test_what_follows_the_helper_waits_for_its_file() -> None:
    *_, text = attack.after_the_helper("task.py wait")
    done = subprocess.run(["sh", "-n", "-c", text], check=False)
    assert (done.returncode, text.endswith("done; exec python3 /e2e/task.py wait")) == (0, True)


def test_a_pod_of_somebody_else_has_neither_agent_nor_label() -> None:
    where = Where("task:1", "agent:1")
    outside, inside = (pod("x", second_pod.outsider("true", mesh=mesh), where) for mesh in (False, True))
    for made in (outside, inside):
        assert [one["name"] for one in [*made["spec"]["initContainers"], *made["spec"]["containers"]]] == ["base"]
        assert "exeunt.dev/drain" not in made["metadata"]["labels"]
    assert outside["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert "sidecar.istio.io/inject" not in inside["metadata"]["labels"]


def test_a_second_pod_goes_in_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Kube()
    run = run_with(kube, monkeypatch)
    with second_pod.beside(run, "other", second_pod.outsider("true")) as other:
        assert other.name == "victim-other"
    assert (kube.deleted, run.evidence) == ([("Pod", "victim-other")], {})
    with pytest.raises(RunError), second_pod.beside(run, "second", second_pod.outsider("true")):
        raise RunError("waited too long")
    assert kube.deleted[1:] == [("Pod", "victim-second")]
    assert run.evidence == {"second, pod": "victim-second"}


def test_a_sidecar_resource_selects_one_pod_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Kube()
    run = run_with(kube, monkeypatch)
    with attack.sidecar(run, run.name, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}):
        (made,) = kube.created
        assert made["spec"]["workloadSelector"] == {"labels": {LABEL: "victim"}}
        assert made["spec"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
        assert kube.deleted == []
    assert kube.deleted == [("Sidecar", "victim-sidecar")]


def test_without_the_right_to_create_one_the_scenario_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Skip, match="no right to create a Sidecar"), attack.sidecar(run_with(Kube(403), monkeypatch), "x"):
        pass
    with pytest.raises(Refused), attack.sidecar(run_with(Kube(500), monkeypatch), "x"):
        pass


def test_a_service_has_the_form_of_an_address_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Kube()
    run = run_with(kube, monkeypatch)
    with attack.service(run, run.name, 8080) as host:
        assert host == "[fd00::7]"
        assert kube.created[0]["spec"]["selector"] == {LABEL: "victim"}
    assert kube.deleted == [("Service", "victim-service")]


def test_what_a_pod_has_written_is_read_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_with(Kube(), monkeypatch)
    lines = ["text", json.dumps({"state": "serving"}), json.dumps({"asked": "GET /"}), json.dumps({"state": "draining"})]
    monkeypatch.setattr(ScenarioRun, "log", lambda *_: "\n".join(lines))
    assert [event["state"] for event in second_pod.events(run, "state")] == ["serving", "draining"]
    assert second_pod.wait_event(run, "asked") == {"asked": "GET /"}
