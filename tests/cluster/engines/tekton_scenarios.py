"""Tekton Pipelines, with its own controller."""

from functools import partial

from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from . import tekton
from .engine_run import LONG, LONG_RATE, RATE, SIZE, EngineRun
from .kinds import ENGINES

_FAILS = 3
_UPLOAD = ("--upload", str(SIZE), "--rate", str(RATE))
_LONG = ("--upload", str(LONG), "--rate", str(LONG_RATE))
_WORDS = "12 MB"


def _run(run: ScenarioRun) -> EngineRun:
    return EngineRun(run, ENGINES["tekton"], tekton.phase, tekton.message, tekton.STEP, tekton.SIDECAR)


def _upload(run: ScenarioRun) -> None:
    one = _run(run)
    one.start(tekton.run(run.name, _UPLOAD, run.site.where))
    one.wait_ended("Succeeded")
    run.wait_received(tekton.STEP)
    run.check_end(proxy="left")
    run.check_delivered(SIZE)


def _fail(run: ScenarioRun) -> None:
    one = _run(run)
    one.start(tekton.run(run.name, (*_LONG, "--exit", str(_FAILS)), run.site.where))
    one.wait_ended("Failed")
    run.wait_received(tekton.STEP)
    run.check_end(phase="Failed", main_exit=_FAILS, proxy="left")
    run.check_delivered(LONG)


def _results(run: ScenarioRun) -> None:
    one = _run(run)
    words = (*_UPLOAD, "--text", "/tekton/results/words", _WORDS)
    one.start(tekton.run(run.name, words, run.site.where, results=("words",)))
    body = one.wait_ended("Succeeded")
    run.wait_received(tekton.STEP)
    run.check_end(proxy="left")
    run.check_delivered(SIZE)
    got = tekton.result(body, "words")
    run.check(got == _WORDS, f"the result is {got!r}, not {_WORDS!r}")


def _alone_native(code: int, run: ScenarioRun) -> None:
    one = _run(run)
    body = tekton.run(run.name, (*_LONG, "--exit", str(code)), run.site.where)
    one.start(tekton.without_exeunt(body, native=True))
    one.wait_ended("Failed" if code else "Succeeded")
    run.wait_received(tekton.STEP)
    run.observe()
    run.check_incomplete(LONG)
    run.note_lost()


def _classic(code: int, run: ScenarioRun) -> None:
    one = _run(run)
    one.start(tekton.run(run.name, (*_LONG, "--exit", str(code)), run.site.where, native=False))
    one.wait_ended("Failed" if code else "Succeeded")
    run.wait_received(tekton.STEP)
    run.observe()
    run.check_delivered(LONG)
    run.note_lost()


def _alone_classic(run: ScenarioRun) -> None:
    one = _run(run)
    one.start(tekton.without_exeunt(tekton.run(run.name, _LONG, run.site.where), native=False))
    one.wait_ended("Succeeded")
    run.wait_received(tekton.STEP)
    run.observe()
    run.check_incomplete(LONG)
    run.note_lost()


SCENARIOS = tuple(
    Scenario(f"tekton-{name}", sentence, steps, "tekton")
    for name, sentence, steps in (
        ("upload", "a slow upload of a step arrives completely", _upload),
        ("fail", "a slow upload arrives completely when the step fails", _fail),
        ("results", "a result of the task is kept, and the upload arrives completely", _results),
        ("classic", "a slow upload arrives completely beside a classic proxy", partial(_classic, 0)),
        ("classic-fail", "the same when the step fails", partial(_classic, _FAILS)),
        (
            "alone-native",
            "without exeunt Tekton says Succeeded, and the upload is incomplete (control)",
            partial(_alone_native, 0),
        ),
        ("alone-native-fail", "the same when the step fails (control)", partial(_alone_native, _FAILS)),
        (
            "alone-classic",
            "without exeunt the upload is incomplete beside a classic proxy, too (control)",
            _alone_classic,
        ),
    )
)
