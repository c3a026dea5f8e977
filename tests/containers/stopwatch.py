"""Measures how long each pod takes to end. The times are written to a file and not asserted, because the machine may be busy."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from containers.jobpod import JobPod
from harness.paths import ROOT

_PROPERTY = "stopwatch"
_REPORT = ROOT / "target" / "containers-report"


@dataclass(frozen=True)
class Times:
    """Milliseconds after the end of the last task; `None` if it was not observed."""

    scenario: str
    form: str
    proxy_gone: int | None
    pod_ended: int | None


def measured(scenario: str, pod: JobPod) -> Times | None:
    """The times of a pod that has ended."""
    task, proxy, end = pod.moments()
    if task is None or end is None:
        return None
    return Times(scenario, pod.form, None if proxy is None else _ms(proxy - task), _ms(end - task))


class Stopwatch:
    """A pytest plugin that collects the times of all tests, from all worker processes, and writes them to a file."""

    def __init__(self) -> None:
        self._times: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for each phase of each test."""
        if report.when == "teardown":
            self._times += [dict(value) for name, value in report.user_properties if name == _PROPERTY]  # type: ignore[call-overload]

    def pytest_sessionfinish(self) -> None:
        """Called by pytest at the end of the run."""
        if self._times:
            _write(_REPORT, self._times)


def note(item: pytest.Item, pods: list[JobPod]) -> None:
    """Adds the times of a test's pods to the test's report, from which `Stopwatch` reads them."""
    for pod in pods:
        times = measured(item.name, pod)
        if times is not None:
            item.user_properties.append((_PROPERTY, asdict(times)))


def _write(path: Path, times: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(times, indent=1) + "\n")
    lines = ["# From the task's end, in milliseconds", "", "| scenario | proxy | proxy gone | pod ended |", "|---|---|---:|---:|"]
    for one in times:
        gone = "" if one["proxy_gone"] is None else one["proxy_gone"]
        lines.append(f"| {one['scenario']} | {one['form']} | {gone} | {one['pod_ended']} |")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
