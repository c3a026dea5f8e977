"""A scenario for each form of the proxy."""

from collections.abc import Callable
from functools import partial

from ..options import INJECTED
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..scenarios.common import FORM
from ..shape import Istio

Steps = Callable[[Istio, ScenarioRun], None]
FORMS: tuple[Istio, ...] = ("classic", "native")


def of_each_form(name: str, sentence: str, steps: Steps, *, last: bool = False) -> tuple[Scenario, ...]:
    """One scenario beside a classic proxy, and one beside a native one."""
    return tuple(
        Scenario(
            f"{INJECTED}{name}-{istio}", f"{sentence}, beside {FORM[istio]}", partial(steps, istio), injected=True, last=last
        )
        for istio in FORMS
    )
