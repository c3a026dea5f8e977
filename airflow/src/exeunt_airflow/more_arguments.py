"""Arguments that a user adds to the agent's own."""

import shlex

# What the hook tells the agent by itself, and what to use instead: a setting, or nothing where the hook reads the pod.
_TOLD = {
    "--also-wait": "also_wait",
    "--container": "endless_helpers",
    "--drain-timeout": "drain_timeout",
    "--grace-period": None,
    "--placement": "placement",
    "--quit-endpoint": "quit_endpoints",
    "--quit-signal": "quit_signals",
    "--restart-policy": None,
    "--restart-rules": None,
    "--signal-port": "signal_port",
    "--state-dir": None,
}
# Airflow looks for the shell of its XCom helper with `pgrep -f sh`, which reads the arguments of every process.
_SHELL = "sh"


def arguments(text: str) -> tuple[str, ...]:
    """The words of a text, quoted as in a shell, and each option one that the hook does not give."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as problem:
        raise ValueError(f"must be options of the agent, quoted as in a shell: {problem}") from None
    if words and not words[0].startswith("--"):
        raise ValueError("must be options of the agent such as --stall-timeout 30s")
    for word in words:
        option = word.partition("=")[0]
        if option in _TOLD:
            instead = _TOLD[option]
            raise ValueError(
                f"must be without {option}: " + (f"use [exeunt] {instead}" if instead else "the hook reads it from the pod")
            )
        if _SHELL in word:
            raise ValueError(f"must be without the letters {_SHELL!r}, which Airflow looks for in the processes of a pod")
    return words
