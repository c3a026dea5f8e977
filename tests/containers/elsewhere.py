"""The tests of other folders that cover a cell of the matrix, without containers: the file, the test, its cells."""

from containers.axes import Pattern

_E2E = "tests/e2e"
_EXEC_TESTS = "agent/tests/exec/main.rs"
_WATCH: Pattern = {"mode": "watch", "placement": "regular", "form": "classic", "policy": "Never"}
_EXEC: Pattern = {"mode": "exec", "placement": "inside", "form": "classic"}

ELSEWHERE: list[tuple[str, str, Pattern]] = [
    (f"{_E2E}/test_agent_in_pod.py", "test_an_agent_that_starts_before_its_proxy_waits_for_it", _WATCH | {"event": "early"}),
    (f"{_E2E}/test_capture.py", "test_a_captured_upload_is_delivered_and_the_proxy_leaves", _WATCH | {"event": "success"}),
    (f"{_E2E}/test_main_job.py", "test_the_verdict_says_how_the_task_ended", _WATCH | {"event": "failure"}),
    (f"{_E2E}/test_proxy_lost.py", "test_a_proxy_that_hangs_for_ever_is_ended_by_pilot_agent", _WATCH | {"event": "hung"}),
    (f"{_E2E}/test_proxy_lost.py", "test_when_the_proxy_dies_during_the_drain_the_agent_ends", _WATCH | {"event": "proxy-lost"}),
    (
        f"{_E2E}/test_proxy_faults.py",
        "test_without_a_fetched_module_the_agent_uses_another_route",
        _WATCH | {"event": "no-filter"},
    ),
    (_EXEC_TESTS, "the_command_waits_for_the_proxy", _EXEC | {"event": "early", "policy": "Never"}),
    (
        _EXEC_TESTS,
        "a_command_that_kubelet_restarts_keeps_its_proxy",
        _EXEC | {"event": "restarts", "policy": "OnFailure"},
    ),
    (_EXEC_TESTS, "after_sigterm_the_drain_ends_within_the_grace_period", _EXEC | {"event": "deleted", "policy": "Never"}),
]
