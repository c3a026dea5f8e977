"""The ways to the agent that --inject names."""

import contextlib
from collections.abc import Callable, Iterator

from ..site import Site
from . import module
from .istio import Injector
from .policy import Policy

_WAYS = {"istio": Injector, "policy": Policy}


@contextlib.contextmanager
def chosen(site: Site, say: Callable[[str], None]) -> Iterator[None]:
    """Has the way of the options in place meanwhile, and the filter's ConfigMap in the run's namespace."""
    options = site.options
    if not options.inject:
        yield
        return
    module.install(site, site.namespace)
    with _WAYS[options.inject](site, say) as site.way:
        yield
