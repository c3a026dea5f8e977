"""Fixtures: a program that counts pods, and a real Prometheus that scrapes it."""

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from harness.paths import ROOT, Missing
from harness.ports import Ports
from harness.wait import until

RULES = ROOT / "deploy" / "monitoring" / "rules.yaml"


def program(name: str) -> str:
    """A program of Debian's package prometheus. Without it the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: as root, apt-get install prometheus")
    return found


@dataclass
class Counter:
    """cli/examples/serve_metrics.rs: counts the pods that it is told."""

    address: str
    stdin: IO[str]

    def tell(self, *pods: dict[str, Any]) -> None:
        """One version of each of these pods."""
        self.stdin.writelines(json.dumps(pod) + "\n" for pod in pods)
        self.stdin.flush()

    def text(self) -> str:
        """Its metrics."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text


@dataclass
class Prometheus:
    """A real one, which scrapes the counter each second."""

    address: str

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as problem:
            raise AssertionError(f"{path} {query}: {problem.read().decode()}") from None

    def value(self, expression: str) -> float | None:
        """The value of an expression that has one at most."""
        result = self.get("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None


def recorded(name: str, uid: str, verdict: str = "") -> dict[str, Any]:
    """A recorded pod as another one, with a verdict of its agent."""
    saved = json.loads((ROOT / "cli" / "tests" / "pods" / f"{name}.json").read_text())
    pod: dict[str, Any] = saved.get("pod", saved)
    # The drains of the verdicts took longer than the recorded pods lived.
    pod["metadata"] |= {"uid": uid, "creationTimestamp": "2026-11-22T19:00:00Z"}
    pod["metadata"].setdefault("namespace", "recorded")
    for status in pod["status"].get("initContainerStatuses", []):
        if verdict and status["name"] == "exeunt":
            status["state"]["terminated"]["message"] = verdict
    return pod


def verdicts() -> list[str]:
    """The verdicts in docs/agent.md: of a native proxy, of a classic one, and of an agent that did nothing."""
    return [line for line in (ROOT / "docs" / "agent.md").read_text().splitlines() if line.startswith('{"version"')]


@pytest.fixture(scope="session")
def ports() -> Iterator[list[int]]:
    """Free ones."""
    block = Ports()
    yield block.numbers
    block.release()


@pytest.fixture(scope="session")
def counter(ports: list[int]) -> Iterator[Counter]:
    """It has counted a pod of each kind."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = folder / "debug" / "examples" / "serve_metrics"
    if not binary.is_file():
        raise Missing(f"{binary} does not exist: run ./build.sh test cli")
    address = f"127.0.0.1:{ports[0]}"
    with subprocess.Popen([binary, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "serving\n"
            one = Counter(address, process.stdin)
            one.tell(
                recorded("job-classic-exeunt-succeeded", "1"),
                recorded("job-classic-exeunt-succeeded", "2", verdicts()[2]),
                recorded("kpo-classic-succeeded", "3"),
                recorded("kpo-native-succeeded", "4"),
                recorded("job-native-succeeded", "5", '{"version":"0.1.0","proxy":"left","route":"ztunnel","drainMs":70}'),
                recorded("job-classic-notready", "6"),
            )
            until("the pods are counted", lambda: one.text().count('namespace="jobs",state="stuck"} 1') or None)
            yield one
        finally:
            process.kill()


@pytest.fixture(scope="session")
def prometheus(counter: Counter, ports: list[int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has scraped the counter three times."""
    folder = tmp_path_factory.mktemp("prometheus")
    job = {"job_name": "exeunt", "honor_labels": True, "static_configs": [{"targets": [counter.address]}]}
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    # YAML is a superset of JSON.
    (folder / "prometheus.yaml").write_text(json.dumps({"global": every, "rule_files": [str(RULES)], "scrape_configs": [job]}))
    address = f"127.0.0.1:{ports[1]}"
    words = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
    with (folder / "log").open("w") as log, subprocess.Popen([program("prometheus"), *words], stderr=log) as process:
        one = Prometheus(address)

        def has_scraped() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                # It refuses queries until it has read its storage.
                urllib.request.urlopen(f"http://{address}/-/ready", timeout=10).close()
            except OSError:
                return False
            return (one.value("sum(count_over_time(exeunt_leader[1m]))") or 0) >= 3

        try:
            until("Prometheus has scraped three times", has_scraped, within=60)
            yield one
        finally:
            process.kill()
