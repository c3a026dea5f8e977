"""A scenario."""

from collections.abc import Callable
from dataclasses import dataclass

from .scenario_run import ScenarioRun


@dataclass(frozen=True)
class Scenario:
    """A name, a sentence that must hold on every cluster, and the steps that test it."""

    name: str
    sentence: str
    steps: Callable[[ScenarioRun], None]
    # The workflow engine that it needs; empty for all others.
    engine: str = ""
    # Whether it is about ordinary pods, which something adds the agent to.
    injected: bool = False
    # Whether it is about tasks of Airflow, whose operators run on this machine.
    airflow: bool = False
    # Whether it runs alone, after all others.
    last: bool = False
