"""Why a cell of the matrix has no test; and which tests of other tiers cover one."""

Pattern = dict[str, str | tuple[str, ...]]

_INNER = ("exec", "complete")

# The first that fits a cell counts.
REASONS: list[tuple[Pattern, str]] = [
    (
        {"form": "absent"},
        "Without a proxy there is nothing to end: the agent leaves, or as a native sidecar idles, whatever happens."
        " Seen once for each mode and placement.",
    ),
    (
        {"event": "failure", "policy": "OnFailure"},
        "Under OnFailure a task that has failed is started again: the next row.",
    ),
    ({"event": "restarts", "policy": "Never"}, "Under Never nothing is started again."),
    (
        {"event": "restarts", "mode": "complete"},
        "`complete` is a script's own word that all is over; under OnFailure a script says it only where its task has"
        " succeeded, and that is the first row.",
    ),
    (
        {"event": "mains", "mode": _INNER},
        "The first of several main containers to end would end the proxy under the others: this is what `watch` is for.",
    ),
    (
        {"event": "early", "mode": _INNER},
        "`exec`, and a script that calls `wait`, begin the task only when the proxy is ready.",
    ),
    (
        {"event": "early", "form": ("hold", "native")},
        "Istio itself has kubelet start the task only when the proxy is ready.",
    ),
    (
        {"event": ("late-image", "late-agent"), "mode": _INNER},
        "The agent is in the main container itself, and comes with it.",
    ),
    ({"event": "late-agent", "placement": "native"}, "Kubelet starts no main container before every native sidecar has started."),
    (
        {"event": "late-agent", "form": "native"},
        "Nothing shows that the task has run, as with hold; but a native proxy is kubelet's to end, so the agent leaves after"
        " half an hour: longer than a test, and without a difference to the proxy.",
    ),
    (
        {"event": "agent-lost", "mode": _INNER},
        "The agent is the main container's own process: whoever kills it kills the task, and that is the second row.",
    ),
    (
        {"event": "agent-lost", "placement": "native", "policy": "OnFailure"},
        "Kubelet starts a native sidecar again under either policy; seen under Never.",
    ),
    (
        {"event": "agent-lost", "placement": "regular", "policy": "Never"},
        "Kubelet does not start it again, and nobody else sees the task end: the proxy stays, as it does without exeunt."
        " A native sidecar has no such gap.",
    ),
    (
        {"event": "agent-lost-draining", "form": "native", "placement": "native"},
        "Here the drain is part of the pod's termination, in which kubelet starts nothing again: it ends the proxy next, with"
        " whatever that still holds.",
    ),
    (
        {"event": "agent-lost-draining", "form": "native", "placement": "regular", "policy": "Never"},
        "The killed agent was the last regular container: kubelet ends the proxy next, with whatever that still holds.",
    ),
    (
        {"event": "agent-lost-draining", "placement": "native", "policy": "OnFailure"},
        "Kubelet starts a native sidecar again under either policy; seen under Never.",
    ),
    (
        {"event": "agent-lost-draining", "mode": _INNER, "policy": "OnFailure"},
        "Kubelet takes the killed container for a failed task and starts it again, with its task.",
    ),
    (
        {"event": "agent-lost-draining", "mode": "exec", "form": "native"},
        "The killed container was the last regular one: kubelet ends the proxy next, with whatever that still holds.",
    ),
    (
        {"event": "agent-lost-draining", "mode": "complete"},
        "The filter has been told and goes on alone, as with `exec`; it knows no difference.",
    ),
    (
        {"event": ("hung", "proxy-lost", "no-status", "own-end"), "mode": _INNER},
        "From the task's end on all modes are the same code, which `watch` shows; only that `complete` climbs the ladder once,"
        " since somebody waits for its exit code.",
    ),
    (
        {"event": "proxy-lost", "form": "native", "policy": "OnFailure"},
        "Kubelet starts a native sidecar again under either policy; seen under Never.",
    ),
    (
        {"event": "deleted", "mode": "complete"},
        "SIGTERM ends the shell, and nobody comes to the script's last line, unless the script has a trap of its own.",
    ),
    ({"event": "deleted", "policy": "OnFailure"}, "In a pod that is deleted nothing is started again, under either policy."),
    (
        {"event": "short-grace", "mode": _INNER},
        "Who wraps the command or calls at its end is the main container: until it has left, nothing is ended but by the pod's"
        " deletion, which is the row before.",
    ),
    (
        {"event": "short-grace", "policy": "OnFailure"},
        "The policy says what follows a failed task; here it has succeeded, or the pod is deleted.",
    ),
    (
        {"event": "short-grace", "placement": "regular", "form": "native"},
        "A native proxy is ended only when the agent's own container has, or by the pod's deletion, where it is as with classic.",
    ),
    ({"event": "helper", "mode": _INNER}, "They look at no container but their own."),
    ({"event": "no-state-dir", "mode": _INNER}, "They have none: what they would remember ends with them."),
    (
        {"event": "no-state-dir", "form": "native"},
        "The proxy's form has no part in it: as with classic.",
    ),
    (
        {"form": "hold"},
        "It differs from classic in the order in which the containers are started, and here they all run: as with classic.",
    ),
    (
        {"policy": "OnFailure"},
        "The policy says no more than whether a container that has failed is started again, and here none fails. Seen under"
        " Never.",
    ),
]

_E2E = "tests/e2e"
_WATCH: Pattern = {"mode": "watch", "placement": "regular", "form": "classic", "policy": "Never"}
_EXEC: Pattern = {"mode": "exec", "placement": "inside", "form": "classic"}

# Without containers, but with what the cell is about: the file, the test, its cells.
ELSEWHERE: list[tuple[str, str, Pattern]] = [
    (f"{_E2E}/test_capture.py", "test_an_agent_that_is_there_before_its_proxy_waits_for_it", _WATCH | {"event": "early"}),
    (f"{_E2E}/test_capture.py", "test_a_captured_upload_is_delivered_and_the_proxy_leaves", _WATCH | {"event": "success"}),
    (f"{_E2E}/test_main_job.py", "test_the_verdict_is_the_tasks_own", _WATCH | {"event": "failure"}),
    (f"{_E2E}/test_proxy_faults.py", "test_a_proxy_that_hangs_for_ever_ends_by_pilot_agent", _WATCH | {"event": "hung"}),
    (
        f"{_E2E}/test_proxy_faults.py",
        "test_a_proxy_that_dies_in_the_middle_of_the_drain_leaves_no_agent_behind",
        _WATCH | {"event": "proxy-lost"},
    ),
    (
        f"{_E2E}/test_proxy_faults.py",
        "test_a_module_that_could_not_be_fetched_is_known_by_its_silence",
        _WATCH | {"event": "no-filter"},
    ),
    ("agent/tests/exec/main.rs", "the_command_waits_for_the_proxy", _EXEC | {"event": "early", "policy": "Never"}),
    (
        "agent/tests/exec/main.rs",
        "a_command_that_kubelet_will_start_again_keeps_its_proxy",
        _EXEC | {"event": "restarts", "policy": "OnFailure"},
    ),
    (
        "agent/tests/exec/main.rs",
        "sigterm_during_the_drain_is_respected_within_its_grace",
        _EXEC | {"event": "deleted", "policy": "Never"},
    ),
]
