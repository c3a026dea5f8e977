"""How a registry asks for a password; clients know what to make of it, and Istio is particular about it."""

import ssl
import urllib.error
import urllib.request

from .arguments import Registry

# The registry behind this name is elsewhere.
_HOSTS = {"docker.io": "registry-1.docker.io"}


def challenges(name: str, registry: Registry) -> list[str]:
    """Its WWW-Authenticate headers for a caller without a password; none where it asks for nothing or does not answer."""
    host = _HOSTS.get(name, name)
    schemes = ("https", "http") if registry.insecure else ("https",)
    for scheme in schemes:
        try:
            urllib.request.urlopen(f"{scheme}://{host}/v2/", timeout=registry.timeout, context=_trust(registry)).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            with error:
                return error.headers.get_all("WWW-Authenticate", []) if error.code == 401 else []
        except OSError:
            continue
        return []
    return []


def _trust(registry: Registry) -> ssl.SSLContext:
    trust = ssl.create_default_context(cafile=str(registry.ca) if registry.ca is not None else None)
    if registry.insecure:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    return trust
