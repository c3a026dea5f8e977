"""The help text, made from the table of options."""

from .options import OPTIONAL, REQUIRED, WITHOUT_CLUSTER, Option

_COLUMN = 24

_HEAD = """\
usage: ./build.sh e2e --kubeconfig FILE --plugin-url URL --agent-image IMAGE [OPTION]...

Tests exeunt on a cluster with Istio. It creates a namespace, installs exeunt there, runs the
scenarios in Jobs and pods with injected proxies, prints a table of the results, and deletes the
namespace. Before that it checks the cluster, Istio and your rights, and names all that is missing.
"""
_FOOT = """\
Example, with the values that ./build.sh image --push REGISTRY/PREFIX prints (the images are not
published yet):
  ./build.sh e2e --kubeconfig ~/.kube/config --plugin-url oci://REGISTRY/PREFIX/exeunt@sha256:... \\
      --agent-image REGISTRY/PREFIX/exeunt-agent@sha256:... --report results

Exit codes:
  0    no scenario has failed
  1    a scenario has failed
  64   an option is wrong
  69   this cluster cannot be tested; stderr says why
  130  the run was interrupted
"""


def text() -> str:
    """The help text."""
    groups = (("Required:", REQUIRED), ("Optional:", OPTIONAL), ("Without a cluster:", WITHOUT_CLUSTER))
    sections = ["\n".join([title, *(line for option in options for line in _lines(option))]) for title, options in groups]
    return "\n".join([_HEAD, *(f"{section}\n" for section in sections), _FOOT])


def _lines(option: Option) -> list[str]:
    first, *others = option.help
    name = f"{option.flag} {option.value}".rstrip()
    return [f"  {name:{_COLUMN - 2}}{first}", *(f"{'':{_COLUMN}}{line}" for line in others)]
