"""The ways to the agent that --inject names."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..errors import RunError
from ..preflight import Right, refusal
from ..site import Site
from .istio import Injector
from .kyverno import Kyverno
from .policy import Policy
from .way import Way

if TYPE_CHECKING:
    from ..kube import Kube

# What the scenarios create beside what every run creates.
_RIGHTS: tuple[Right, ...] = tuple((verb, "batch", "cronjobs") for verb in ("create", "patch", "delete"))
_WAYS = {"istio": Injector, "policy": Policy, "kyverno": Kyverno}


def check(kube: "Kube", namespace: str, inject: str) -> None:
    """Refuses a run whose way the cluster does not have, or without the rights for it, and names all that are missing."""
    if inject:
        way: type[Way] = _WAYS[inject]
        places = ((namespace, _RIGHTS), (way.rights_in or namespace, way.rights))
        lines = [line for place, rights in places for right in rights for line in refusal(kube, place, *right)]
        lines = [*way.missing(kube), *lines]
        if lines:
            raise RunError(*lines)


@contextlib.contextmanager
def chosen(site: Site, say: Callable[[str], None]) -> Iterator[None]:
    """Has the way of the options in place meanwhile, and the filter's ConfigMap in the run's namespace."""
    options = site.options
    if not options.inject:
        yield
        return
    with _WAYS[options.inject](site, say) as site.way:
        site.way.put_module(site.namespace)
        yield
