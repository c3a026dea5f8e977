"""What can go wrong between this machine and a registry, and what to do about each."""

import re
from dataclasses import dataclass

from .fault import Fault


@dataclass(frozen=True)
class Kind:
    """One kind of failure: the words that skopeo uses for it, and the advice for the user."""

    name: str
    pattern: str
    advice: str
    # It may be over soon, so the call is tried again.
    passing: bool = False


PLAIN = Kind(
    "plain",
    r"server gave HTTP response to HTTPS client",
    "the registry speaks plain HTTP, without TLS: add --insecure if you trust the network, or name a registry with TLS",
)
CERTIFICATE = Kind(
    "certificate",
    r"x509:|certificate|tls: ",
    "the registry's certificate is not trusted: give the authority's certificate with --ca FILE, or add --insecure",
)
UNAUTHORISED = Kind(
    "unauthorised",
    r"unauthorized|authentication required|denied|forbidden|status:? 40[13]|invalid username/password",
    "the registry does not allow it: log in with `skopeo login REGISTRY`, or give credentials with --auth-file FILE",
)
ABSENT = Kind(
    "absent",
    r"manifest unknown|manifest_unknown|name unknown|name_unknown|repository name not known|not found|status:? 404",
    "the registry has nothing under that name: check the name, the tag and the digest; some registries want a repository to be "
    "created before the first push",
)
NAME = Kind(
    "name",
    r"no such host|server misbehaving|name resolution",
    "the registry's name cannot be resolved: check its spelling and your DNS",
)
REFUSED = Kind(
    "refused",
    r"connection refused|network is unreachable|no route to host",
    "nothing answers there: check that the registry runs and that the port is right",
    passing=True,
)
SLOW = Kind(
    "slow",
    r"i/o timeout|deadline exceeded|handshake timeout",
    "the registry did not answer in time: give a longer --timeout",
    passing=True,
)
BROKEN = Kind(
    "broken",
    r"connection reset|broken pipe|\beof\b|status:? (429|5\d\d)|server error|bad gateway|unavailable|too many requests",
    "the registry has a problem: try again later, or look at its log",
    passing=True,
)
FULL = Kind("full", r"no space left on device", "the disk is full: make room")
OTHER = Kind("other", "", "skopeo failed")

# In the order in which they are looked for. A message about a connection also repeats the request, so narrow kinds come first.
_KINDS = (PLAIN, CERTIFICATE, UNAUTHORISED, ABSENT, NAME, REFUSED, SLOW, BROKEN, FULL)


class Refusal(Fault):
    """A call to a registry that failed, and the kind of failure."""

    def __init__(self, text: str, kind: Kind) -> None:
        super().__init__(text)
        self.kind = kind


def kind_of(said: str) -> Kind:
    """The kind that skopeo's message means."""
    return next((kind for kind in _KINDS if re.search(kind.pattern, said, re.IGNORECASE)), OTHER)


def refusal(task: str, kind: Kind, said: str, tries: int) -> Refusal:
    """The one line for a call that failed after `tries` attempts: what was wanted, what to do, and the original message."""
    times = f" (tried {tries} times)" if tries > 1 else ""
    return Refusal(f"{task}: {kind.advice}{times} ({said})", kind)


def pause(tries: int) -> int:
    """Seconds before the next attempt: 1, 2, 4. A registry that restarts is back by then."""
    return 2 ** (tries - 1)
