"""Asks a registry whether it answers, with TLS or without, and whether it wants a password.

This needs no skopeo and no image, so build.sh does it before it installs or builds anything.
"""

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from .arguments import Registry
from .fault import Fault
from .trouble import BROKEN, CERTIFICATE, NAME, PLAIN, REFUSED, SLOW, Kind, Refusal, pause, refusal

# Docker Hub's registry has another name than its images.
_HOSTS = {"docker.io": "registry-1.docker.io"}


@dataclass(frozen=True)
class Answer:
    """How a registry answered."""

    tls: bool
    # Its WWW-Authenticate headers for a caller without a password; empty if it wants none.
    challenges: list[str]


class _Failed(Exception):
    def __init__(self, kind: Kind, said: str) -> None:
        super().__init__(said)
        self.kind = kind


def ping(name: str, registry: Registry) -> Answer:
    """Asks the registry, first with TLS, then without. A registry that does not answer is a `Refusal`.

    A registry without TLS is an answer: the caller decides whether that is allowed.
    """
    trust = _trust(registry)
    tries = 0
    while True:
        tries += 1
        try:
            return _ask_both(_HOSTS.get(name, name), trust, registry.timeout)
        except _Failed as failed:
            if not failed.kind.passing or tries == registry.tries:
                raise refusal(f"the registry {name} cannot be used", failed.kind, str(failed), tries) from failed
        time.sleep(pause(tries))


def ping_for_push(name: str, registry: Registry) -> Answer:
    """The same for a push, which uses plain HTTP only if the user says so."""
    answer = ping(name, registry)
    if not answer.tls and not registry.insecure:
        raise Refusal(f"the registry {name} cannot be used: {PLAIN.advice}", PLAIN)
    return answer


def _ask_both(host: str, trust: ssl.SSLContext, timeout: int) -> Answer:
    try:
        return Answer(tls=True, challenges=_ask(f"https://{host}/v2/", trust, timeout))
    except _Failed as failed:
        if failed.kind is not PLAIN:
            raise
        said = str(failed)
    try:
        return Answer(tls=False, challenges=_ask(f"http://{host}/v2/", trust, timeout))
    except _NotPlain as not_plain:
        # It does speak TLS, and the handshake failed for another reason.
        raise _Failed(CERTIFICATE, said) from not_plain


class _NotPlain(Exception):
    """A server with TLS that was asked without."""


def _ask(url: str, trust: ssl.SSLContext, timeout: int) -> list[str]:
    """The challenges."""
    try:
        urllib.request.urlopen(url, timeout=timeout, context=trust).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 429 or error.code >= 500:
                raise _Failed(BROKEN, f"HTTP status {error.code}") from error
            # What Go's server and nginx answer to plain HTTP on a port with TLS.
            if error.code == 400 and url.startswith("http:"):
                raise _NotPlain from error
            return error.headers.get_all("WWW-Authenticate", []) if error.code == 401 else []
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception) else error
        raise _Failed(_kind_of(cause), str(cause) or type(cause).__name__) from error
    return []


def _kind_of(cause: Exception) -> Kind:
    match cause:
        case ssl.SSLCertVerificationError():
            return CERTIFICATE
        # Before SSLError: both are subclasses of it.
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return BROKEN
        case ssl.SSLError():
            return PLAIN
        case socket.gaierror():
            return NAME
        case TimeoutError():
            return SLOW
        case ConnectionResetError() | BrokenPipeError() | http.client.HTTPException():
            return BROKEN
        case _:
            return REFUSED


def _trust(registry: Registry) -> ssl.SSLContext:
    try:
        trust = ssl.create_default_context(cafile=str(registry.ca) if registry.ca is not None else None)
    except ssl.SSLError as error:
        raise Fault(f"--ca {registry.ca} is not allowed: must have certificates in PEM form") from error
    if registry.insecure:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    return trust
