"""The words of the agent that the scenarios look for. Wording is an interface: a new wording is a change of this file alone.

The tiers that run on this machine have their own list, tests/harness/messages.py.
"""

# === The agent's log ===

KEEPS_WAITING = "still waiting"


def no_sign_of(container: str) -> str:
    """`--late-start` is over, and the agent has seen no process of a main container."""
    return f"no sign of {container}"


# === The agent's verdict ===

# `refused`: why the agent does not handle a pod; the beginning of the reason.
HOST_NETWORK = "hostNetwork: true"
# `route`: the first word of a route, or the whole of a route without an address.
BY_FILTER = "filter"
BY_ADMIN = "admin"
BY_ZTUNNEL = "ztunnel"
