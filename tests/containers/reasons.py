"""Why a cell of the matrix has no test."""

from containers.axes import Pattern

_INNER = ("exec", "complete")

_RESTARTED_UNDER_BOTH = "Kubelet restarts a native sidecar under both policies; tested under Never."

_ONLY_AMONG_NATIVE = (
    "Kubelet ends all regular containers at the same time, and native sidecars after them: only among these the order counts."
)

# The first reason that matches a cell counts.
REASONS: list[tuple[Pattern, str]] = [
    (
        {"form": "absent"},
        "Without a proxy there is nothing to end: in every case the agent leaves, or idles if it is a native sidecar. Tested once"
        " for each mode and placement.",
    ),
    (
        {"event": "stripped", "placement": ("regular", "inside")},
        "Only init containers have the field of which this is the loss.",
    ),
    ({"event": "stripped", "form": "hold"}, "The proxy starts after the init containers, as without hold."),
    (
        {"event": "stripped", "policy": "OnFailure"},
        "The agent exits with 0, so kubelet does the same under both policies; tested under Never.",
    ),
    ({"event": "failure", "policy": "OnFailure"}, "Under OnFailure kubelet restarts a failed task: see the next row."),
    ({"event": "restarts", "policy": "Never"}, "Under Never kubelet restarts nothing."),
    (
        {"event": "restarts", "mode": "complete"},
        "A script calls `complete` when all its work is done. Under OnFailure it calls it only after its task has succeeded, and"
        " that is the first row.",
    ),
    (
        {"event": "all-again", "policy": ("Never", "OnFailure")},
        "Only a rule of a container asks for a restart of all containers.",
    ),
    (
        {"event": "all-again", "mode": _INNER},
        "In this mode the agent remembers nothing: it begins anew with its container.",
    ),
    (
        {"event": ("not-told", "all-again", "no-exit-status", "all-regular"), "placement": "native", "form": "native"},
        "Kubelet tells the end of the task: the agent knows no name, policy or rule in any pod of this column.",
    ),
    (
        {"event": ("not-told", "no-exit-status"), "mode": _INNER},
        "In this mode the agent knows the exit code, and it cannot wait for a restart of its own container:"
        " without a policy every"
        " end is the last one.",
    ),
    ({"event": "no-exit-status", "policy": "Never"}, "Under Never nothing depends on how the task has ended."),
    (
        {"event": ("not-told", "all-again", "no-exit-status", "all-regular"), "form": "native"},
        "The form of the proxy makes no difference to the end of the task: as with classic.",
    ),
    (
        {"event": ("main-containers", "all-regular"), "mode": _INNER},
        "With several main containers, the first that ends would end the proxy of the others; use `watch` for such pods.",
    ),
    (
        {"event": "early", "mode": _INNER},
        "`exec`, and a script that calls `wait`, begin the task only when the proxy is ready.",
    ),
    ({"event": "early", "form": ("hold", "native")}, "With this form kubelet starts the task only when the proxy is ready."),
    (
        {"event": "unseen", "form": "native", "placement": "native"},
        "Kubelet tells the end of the task, whether or not the agent has seen it.",
    ),
    (
        {"event": ("unseen", "late-image", "late-agent"), "mode": _INNER},
        "The agent is in the main container itself and starts together with it.",
    ),
    ({"event": "late-agent", "placement": "native"}, "Kubelet starts no main container before every native sidecar has started."),
    (
        {"event": "late-agent", "form": "native"},
        "As with hold, nothing shows that the task has run. But kubelet ends a native proxy, so the agent leaves after half an"
        " hour: that is too long for a test, and it makes no difference to the proxy.",
    ),
    (
        {"event": "agent-lost", "mode": _INNER},
        "The agent is the process of the main container: to kill it is to kill the task, and that is the second row.",
    ),
    ({"event": "agent-lost", "placement": "native", "policy": "OnFailure"}, _RESTARTED_UNDER_BOTH),
    (
        {"event": "agent-lost", "placement": "regular", "policy": "Never"},
        "Kubelet does not restart the agent, and nothing else observes the end of the task: the proxy stays, as it does without"
        " exeunt. A native sidecar does not have this gap.",
    ),
    (
        {"event": "agent-lost-draining", "form": "native", "placement": "native"},
        "Here the drain is part of the pod's termination, in which kubelet restarts nothing: it ends the proxy next, and what the"
        " proxy still holds is lost.",
    ),
    (
        {"event": "agent-lost-draining", "form": "native", "placement": "regular", "policy": "Never"},
        "The killed agent was the last regular container: kubelet ends the proxy next, and what the proxy still holds is lost.",
    ),
    ({"event": "agent-lost-draining", "placement": "native", "policy": "OnFailure"}, _RESTARTED_UNDER_BOTH),
    (
        {"event": "agent-lost-draining", "mode": _INNER, "policy": "OnFailure"},
        "For kubelet the killed container is a failed task: kubelet restarts it, and the task runs again.",
    ),
    (
        {"event": "agent-lost-draining", "mode": "exec", "form": "native"},
        "The killed container was the last regular one: kubelet ends the proxy next, and what the proxy still holds is lost.",
    ),
    (
        {"event": "agent-lost-draining", "mode": "complete"},
        "The filter has the signal and continues alone, as with `exec`; for the filter there is no difference.",
    ),
    (
        {"event": ("hung", "proxy-lost", "proxy-restarted", "no-status", "own-end", "stalled"), "mode": _INNER},
        "After the end of the task all modes run the same code, which `watch` tests. The only difference: `complete` goes down"
        " the ladder only once, because a script waits for its exit code.",
    ),
    ({"event": ("proxy-lost", "proxy-restarted"), "form": "native", "policy": "OnFailure"}, _RESTARTED_UNDER_BOTH),
    (
        {"event": "proxy-restarted", "form": ("classic", "hold"), "policy": "Never"},
        "Kubelet does not start a regular container again: the rest of the task has no proxy, with or without exeunt.",
    ),
    (
        {"event": "deleted", "mode": "complete"},
        "SIGTERM ends the shell, so the last line of the script does not run, unless the script has a trap.",
    ),
    ({"event": "deleted", "policy": "OnFailure"}, "Kubelet restarts nothing in a deleted pod, under both policies."),
    (
        {"event": "stray", "mode": _INNER},
        "The agent is in the main container: a SIGTERM to that is a deletion, or looks like one. See the row before.",
    ),
    (
        {"event": "stray", "placement": "regular", "form": "native"},
        "This agent sees the end of the task by itself, and no SIGTERM changes its limits: as with classic.",
    ),
    (
        {"event": "short-grace", "mode": _INNER},
        "The agent is in the main container. Until that container ends, only a deletion of the pod ends the proxy: see the row"
        " before.",
    ),
    (
        {"event": "short-grace", "policy": "OnFailure"},
        "The policy decides what follows a failed task; here the task has succeeded, or the pod is deleted.",
    ),
    (
        {"event": "short-grace", "placement": "regular", "form": "native"},
        "Kubelet ends a native proxy only after the agent's container has ended, or when the pod is deleted; then it is as with"
        " classic.",
    ),
    (
        {"event": "unshared", "placement": "native", "form": "native"},
        "So are the pods of all other tests of this column: kubelet tells the end of the task.",
    ),
    (
        {"event": "wrong-order", "mode": _INNER},
        _ONLY_AMONG_NATIVE,
    ),
    (
        {"event": "wrong-order", "placement": "regular"},
        _ONLY_AMONG_NATIVE,
    ),
    (
        {"event": "wrong-order", "form": ("classic", "hold")},
        _ONLY_AMONG_NATIVE,
    ),
    ({"event": "helper", "mode": _INNER}, "In this mode the agent observes only its own container."),
    ({"event": "no-state-dir", "mode": _INNER}, "In this mode the agent has no folder: its state ends together with it."),
    (
        {"event": "no-state-dir", "form": "native", "placement": "native"},
        "Where kubelet tells the end of the task, the agent has no state: no test of this column gives it a folder.",
    ),
    ({"event": "no-state-dir", "form": "native"}, "The proxy's form makes no difference here: as with classic."),
    (
        {"form": "hold"},
        "Hold differs from classic only in the order in which the containers start, and here all of them already run: as with"
        " classic.",
    ),
    (
        {"policy": "rules"},
        "A rule only decides what follows an exit code that it names, and here the task has no such code:"
        " as under Never, or, where"
        " the exit status is not known, as under OnFailure.",
    ),
    (
        {"policy": "OnFailure"},
        "The policy only decides whether kubelet restarts a failed container, and here none fails. Tested under Never.",
    ),
]
