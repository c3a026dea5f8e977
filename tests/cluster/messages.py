"""The words of the agent that the scenarios look for. Wording is an interface: a new wording is a change of this file alone.

The tiers that run on this machine have their own list, tests/harness/messages.py.
"""

# === The agent's log ===

KEEPS_WAITING = "still waiting"


def no_sign_of(container: str) -> str:
    """`--late-start` is over, and the agent has seen no process of a main container."""
    return f"no sign of {container}"


# What the agent says of a container that keeps the pod.
STILL_RUNS = "still runs, for"
# The remedy where the agent is listed behind a task that it never saw.
MAKE_FIRST = "the first of the containers"

ORDER = "list the agent behind istio-proxy"

# === The agent's verdict ===

# `ended`: the end of the task is kubelet's word.
BY_KUBELET = "SIGTERM from kubelet"
# `limit` and its `advice`: what ended a drain with data undelivered.
GRACE_PERIOD = "grace-period"
STALL_TIMEOUT = "stall-timeout"
DRAIN_TIMEOUT = "drain-timeout"
RAISE_GRACE = "terminationGracePeriodSeconds"

# `refused`: why the agent does not handle a pod; the beginning of the reason.
HOST_NETWORK = "hostNetwork: true"
CANNOT_SEE = "the agent cannot see the end of the task"
# What the reason `CANNOT_SEE` tells the user to do: make the proxy native, share the processes, or wrap the command.
REMEDIES = ('sidecar.istio.io/nativeSidecar: "true"', "shareProcessNamespace: true", "exeunt-agent exec")


def not_the_proxy(uid: int) -> str:
    """`rungs`: why the agent does not ask the filter."""
    return f"a process of uid {uid} listens there, not the proxy"


# `route`: the first word of a route, or the whole of a route without an address.
BY_FILTER = "filter"
BY_ADMIN = "admin"
# Beside a native proxy without a filter the kernel's counts are enough.
BY_SOCKETS = "socket table"
BY_ZTUNNEL = "ztunnel"
