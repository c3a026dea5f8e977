"""The settings that say how the helpers of all pods end, beside the annotations of a pod."""

import subprocess
from typing import Any

import pytest

import vectors
from exeunt_airflow import helpers
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.settings import Settings, read
from exeunt_airflow.unchanged import NeedsAttention
from harness import paths
from test_settings import ENDPOINTS

SQL, CACHE, SHIPPER = "cloud-sql-proxy=http://127.0.0.1:9092/quit", "cache=INT", "shipper"
ALL = Settings(quit_endpoints=(SQL,), quit_signals=(CACHE,), also_wait=(SHIPPER,))
_WAIT, _ENDPOINT, _SIGNAL = "EXEUNT_ALSO_WAIT", "EXEUNT_QUIT_ENDPOINT", "EXEUNT_QUIT_SIGNAL"


def told(settings: Settings, **annotations: str) -> dict[str, str]:
    """What the agent is told of the helpers in a pod with these annotations."""
    pod = vectors.pod("helpers")
    pod.metadata.annotations = {f"exeunt.dev/{name.replace('_', '-')}": text for name, text in annotations.items()}
    return dict(helpers.of(pod, settings).variables)


def test_the_rules_hold_for_each_pod_that_has_the_container() -> None:
    assert told(ALL) == {_WAIT: SHIPPER, _ENDPOINT: SQL, _SIGNAL: CACHE}
    assert helpers.of(vectors.pod("kpo-plain"), ALL) == helpers.Helpers(())
    assert told(Settings(quit_signals=("sql=TERM", CACHE, "other=TERM"))) == {_SIGNAL: CACHE}


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"quit_endpoints": "GET http://127.0.0.1:8080/a=b"}, {_ENDPOINT: f"GET http://127.0.0.1:8080/a=b,{SQL}"}),
        ({"quit_endpoints": "cloud-sql-proxy = PUT http://[::1]/"}, {_ENDPOINT: "cloud-sql-proxy = PUT http://[::1]/"}),
        ({"quit_signals": "cloud-sql-proxy=TERM, shipper=TERM"}, {_SIGNAL: f"cloud-sql-proxy=TERM, shipper=TERM,{CACHE}"}),
        ({"also_wait": "cache"}, {_WAIT: f"cache,{SHIPPER}"}),
        # Its end is the end of the task.
        ({"container": "base, shipper"}, {}),
    ],
)
def test_the_word_of_the_pod_counts_before_them(annotations: dict[str, str], expected: dict[str, str]) -> None:
    whole = {_WAIT: SHIPPER, _ENDPOINT: SQL, _SIGNAL: CACHE}
    replaced = {
        "quit_signals": (_WAIT, _ENDPOINT),
        "also_wait": (_SIGNAL,),
        "container": (_WAIT,),
    }.get(next(iter(annotations)), ())
    assert told(ALL, **annotations) == {name: text for name, text in whole.items() if name not in replaced} | expected


@pytest.mark.parametrize("form", vectors.FORMS)
def test_a_pod_with_a_helper_that_the_agent_ends_shares_its_processes(form: str) -> None:
    def changed(settings: Settings) -> Any:
        pod = vectors.pod("second-container")
        mutation_of(pod, settings, lambda _: vectors.FORMS[form]).apply(pod)
        return vectors.plain(pod)["spec"]

    def variables(spec: Any) -> Any:
        (agent,) = [one for one in [*spec["containers"], *spec["initContainers"]] if one["name"] == "exeunt"]
        return [(one["name"], one["value"]) for one in agent.get("env", []) if "value" in one]

    ended = changed(Settings(quit_signals=(CACHE,)))
    assert ended["shareProcessNamespace"] is True
    assert variables(ended) == [(_SIGNAL, CACHE)]
    # Kubelet waits for each container: there the agent need not know.
    waited = changed(Settings(also_wait=("cache",)))
    assert variables(waited) == ([] if form == "native" else [(_WAIT, "cache")])
    assert waited.get("shareProcessNamespace", False) is (form != "native")


def test_a_pod_that_may_not_share_them_stays_unchanged() -> None:
    pod = vectors.pod("second-container")
    with pytest.raises(NeedsAttention, match="share_processes is never"):
        mutation_of(pod, Settings(quit_signals=(CACHE,), share_processes="never"), lambda _: vectors.NATIVE)


def test_the_agent_takes_every_rule_that_a_setting_takes() -> None:
    texts = {"quit_endpoints": ",".join(ENDPOINTS), "quit_signals": "renewer=TERM,cache=SIGUSR1", "also_wait": "a,b"}
    settings, mistakes = read(texts)
    assert mistakes == []
    rules = {_WAIT: settings.also_wait, _ENDPOINT: settings.quit_endpoints, _SIGNAL: settings.quit_signals}

    def explained(more: dict[str, str]) -> str:
        said = subprocess.run(
            [paths.agent(), "watch", "--explain"], env=more, capture_output=True, text=True, timeout=60, check=False
        )
        assert said.returncode == 0, said
        return said.stdout + said.stderr

    given = {name: ",".join(words) for name, words in rules.items()}
    assert "is not allowed" not in explained(given)
    # The agent says so of a rule that it does not take.
    assert "is not allowed" in explained(given | {_SIGNAL: "renewer=STOP"})
