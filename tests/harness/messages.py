"""The words of the agent, the filter and the demo that the tiers e2e and containers look for.

Wording is an interface: the documents quote it. Each text stands here once, so that a new wording is a change of this file alone.
The keys of the verdict and its values that are single words are not here. The scenarios on a real cluster have their own list, in
tests/cluster/messages.py.
"""

import re
from collections.abc import Iterable

# === The agent's log, on stderr ===

SIGNAL_ACCEPTED = "has accepted the completion"
WAITS_FOR_KUBELET = "waiting for SIGTERM, which kubelet sends when the task has ended"
HAS_TOLD_ENVOY = "it sends each span at once"
STARTED_AGAIN = "kubelet has started the agent again, so it is a native sidecar"
NO_PROXY_YET = "no proxy has started yet"
KEEPS_WAITING_WITHOUT_EVIDENCE = "still waiting, because nothing shows that it has run"
SAME_USER = "whose processes can end the agent and change its records"
NOT_DONE = "the state folder says that the shutdown is complete, but the proxy runs"
NO_STATE_DIR = "a restarted agent will not know of it"


def watching(container: str) -> str:
    """The agent has found the process of a main container."""
    return f"watching {container}"


def has_ended(log: str, container: str) -> str | None:
    """How the agent says that a main container has ended; `None` before that."""
    match = re.search(rf"{container} has ended \((.*?)\)", log)
    return match[1] if match else None


# === The agent's verdict: its sentences, and the names of routes ===

# `decided`: what the agent knows of the proxy's form, and from where.
STATUS_NOT_GIVEN = "nothing tells the form of istio-proxy"
BY_ENVOY = "by Envoy's node metadata"
BY_OPTION = "by --proxy"
BY_STATUS = "by sidecar.istio.io/status"
AMBIENT = "the pod is in an ambient mesh"
# `ended`: the source of the end of the task.
ENDED_BY_KUBELET = "SIGTERM from kubelet"
ENDED_UNSEEN = "kubelet has started it, and it had ended before the agent looked"
ENDED_BY_TERMINATION = "SIGTERM came before it was seen, and kubelet starts nothing after that"
# `advice`: what a user can do.
RAISE_GRACE_PERIOD = "raise the pod's terminationGracePeriodSeconds and give the same time to the agent by --grace-period"
WRONG_ORDER = "list the agent behind istio-proxy in initContainers"
# `refused`: the agent does not learn the end of the task, and how to change that.
NO_OTHER_CONTAINER = "kubelet has created no other container within"
CANNOT_SEE = "the agent cannot see the end of the task"
MAKE_THE_PROXY_NATIVE = 'sidecar.istio.io/nativeSidecar: "true"'
MAKE_THE_AGENT_NATIVE = "make it an init container with restartPolicy: Always"
SHARE_PROCESSES = "shareProcessNamespace: true"
WRAP_THE_COMMAND = "exeunt-agent exec"
# `route`: the first word of a route that has an address, or the whole of one that has none.
BY_FILTER = "filter"
BY_ADMIN = "admin"
BY_ZTUNNEL = "ztunnel"
BY_SOCKET_TABLE = "socket table"
BY_SIGTERM = "SIGTERM to pilot-agent"


def kind_of(route: str | None) -> str:
    """What a route is, without its address."""
    return (route or "").split(" ")[0] if re.search(r":\d+$", route or "") else route or ""


def is_by_filter(route: str | None) -> bool:
    """Whether a route is the filter's, at whichever address."""
    return (route or "").startswith(f"{BY_FILTER} ")


# === The agent's plan, by --explain ===

PLAN_AMBIENT = "wait until everything is delivered"
PLAN_ADMIN = "admin interface"

# === The filter's log, in Envoy's ===

# Envoy's own prefix of every line of a plugin.
FILTER_LOG = "wasm log"
FILTER_DIED = "Wasm VM failed|panicked"
NOT_JSON = "not JSON"
# The line of a panic, in the module that is built to panic on request.
PANIC = r"wasm log.*: panicked at src/panics\.rs:\d+:\d+: a test has sent a request to /v1/panic"


def mistake_at(field: str) -> str:
    """A regular expression for the line that names a mistake in a field of the plugin's configuration."""
    return rf"\b{re.escape(field)}: "


def transitions(lines: Iterable[str]) -> list[str]:
    """The changes of the filter's state in lines of Envoy's log, as `serving => draining: …`."""
    found = (re.search(rf"{FILTER_LOG}[^:]*: (\w+ => .*?)(\tthread=\d+)?$", line) for line in lines)
    return [match[1] for match in found if match]


# === The filter's answers to a bad signal ===

EMPTY = "empty"
NO_JSON = "JSON"
NO_OBJECT = "object"
EXIT_CODE_RANGE = "0 to 255"
BODY_LIMIT = "4096"

# === The demo's progress ===

DEMO_UPLOADS = "begin to upload"
