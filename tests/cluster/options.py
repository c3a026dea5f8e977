"""The options of the command line: the table from which the help text and the parser are made."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

DEFAULT_TASK_IMAGE = "docker.io/library/python:3.13-alpine"
MAX_PARALLEL = 32
MAX_LOAD = 1000
ENGINES = ("argo", "tekton")
# How the names of the scenarios of ordinary Jobs begin.
INJECTED = "inject-"
# How the names of the scenarios of Airflow's tasks begin.
AIRFLOW = "airflow-"
WAYS = ("istio", "policy", "kyverno")
# Where istio-proxy has the filter that is mounted into it.
MODULE_URL = "file:///etc/exeunt/plugin.wasm"
SOURCES = ("oci", "configMap", "imageVolume")


@dataclass(frozen=True)
class Option:
    """One option, as the help text shows it."""

    flag: str
    # The name of its value; a list if it ends with `...`, empty for a switch.
    value: str
    help: tuple[str, ...]

    @property
    def kind(self) -> Literal["switch", "list", "value"]:
        """How many values the option has: none, one or more, or one."""
        if not self.value:
            return "switch"
        return "list" if self.value.endswith("...") else "value"


REQUIRED = (
    Option(
        "--kubeconfig",
        "FILE",
        (
            "the file with the cluster's address and credentials; its current context is",
            "used (default: the value of $KUBECONFIG)",
        ),
    ),
    Option(
        "--plugin-url",
        "URL",
        ("the address from which proxies load the filter: oci://, http:// or https://",),
    ),
    Option("--agent-image", "IMAGE", ("the agent's image, as the cluster's nodes pull it",)),
)
OPTIONAL = (
    Option(
        "--task-image",
        "IMAGE",
        (
            "the image of the tasks and of the server that receives their uploads",
            f"(default: {DEFAULT_TASK_IMAGE}).",
            "Needed if the nodes cannot pull from docker.io. The image must have python3",
            "(3.9 or newer), sh and true in its PATH, and must work for any user, also",
            "without root. A node that already has the image does not pull it again.",
        ),
    ),
    Option(
        "--namespace",
        "NAME",
        ("the namespace to create and delete; it must not exist", "(default: exeunt-e2e- and five random letters)"),
    ),
    Option(
        "--revision",
        "NAME",
        ("for an Istio with revisions: label the namespace istio.io/rev=NAME", "(default: the label istio-injection=enabled)"),
    ),
    Option(
        "--install",
        "HOW",
        (
            "how exeunt is installed (default: manifests):",
            "manifests   wasmplugin.yaml and deploy/serviceentry.yaml",
            "chart       deploy/chart, with helm; --plugin-url must then be oci://",
        ),
    ),
    Option(
        "--only",
        "SCENARIO...",
        ("run only these scenarios; --list shows their names, and 'trust-*' stands", "for all with this beginning"),
    ),
    Option(
        "--engines",
        "ENGINE...",
        (
            "run the scenarios of these workflow engines, and no others: argo, tekton.",
            "The cluster must have the engine with its controller",
        ),
    ),
    Option(
        "--airflow",
        "",
        (
            "run the rows of docs/airflow-matrix.md, and no other scenarios. Airflow's",
            "operators run on this machine, with the kubeconfig, and their pods in the",
            "cluster. ./build.sh installs Airflow 3.3 into .cache",
        ),
    ),
    Option(
        "--inject",
        "HOW",
        (
            "run the scenarios of ordinary Jobs, and no others. Their pods have no line",
            "of exeunt's; they get the agent",
            "istio       by Istio's injector: adds the template of deploy/istio to the",
            "            ConfigMap of the injector, in istio-system",
            "policy      by a MutatingAdmissionPolicy, the chart's: adds a policy and its",
            "            binding to the cluster; needs helm",
            "kyverno     by policies of Kyverno, the chart's: adds them to a cluster in",
            "            which Kyverno runs; needs helm",
            "Each works in the namespaces of the run alone, and is removed at its end,",
            "also after a failure and with --keep",
        ),
    ),
    Option(
        "--source",
        "HOW",
        (
            "where proxies have the filter from (default: oci). The other two need",
            "--inject, and no --plugin-url:",
            "oci          from --plugin-url",
            "configMap    from a ConfigMap in the namespace, made of --module",
            "imageVolume  from --agent-image, which must have /plugin.wasm. Needs",
            "             Kubernetes 1.35 and containerd 2.1, or newer",
        ),
    ),
    Option("--module", "FILE", ("the filter's file, exeunt.wasm, for --source configMap",)),
    Option("--parallel", "N", (f"how many scenarios run at the same time, from 1 to {MAX_PARALLEL} (default: 4)",)),
    Option(
        "--load",
        "N",
        (
            f"make every node busy while the scenarios run, from 1 to {MAX_LOAD}: a DaemonSet",
            "runs as many loops as are missing to a load average of N, on each node that",
            "takes ordinary pods, with a request of 500m of CPU. All pods of these nodes",
            "become slow: do not use it where others work. The run begins when the",
            "average of a minute is about N, reports what it was, and removes the loops",
            "at its end, also after a failure and with --keep. The scenarios wait longer,",
            "by N/10 of their limits; the agent's own limits stay as they are",
        ),
    ),
    Option("--keep", "", ("do not delete the namespace and its pods",)),
    Option("--report", "DIR", ("write e2e.json, e2e.xml (JUnit) and report.md to this folder",)),
)
WITHOUT_CLUSTER = (
    Option("--list", "", ("print the name of every scenario, and what it checks",)),
    Option("--render", "FILE...", ("print the report of earlier runs as Markdown, from their e2e.json files",)),
    Option("--help", "", ("print this text",)),
)
ALL = (*REQUIRED, *OPTIONAL, *WITHOUT_CLUSTER)


@dataclass
class Options:
    """The options of a command line without mistakes."""

    kubeconfig: Path = Path()
    plugin_url: str = ""
    agent_image: str = ""
    task_image: str = DEFAULT_TASK_IMAGE
    namespace: str = ""
    revision: str = ""
    install: str = "manifests"
    parallel: int = 4
    load: int = 0
    report: Path | None = None
    keep: bool = False
    listing: bool = False
    help: bool = False
    airflow: bool = False
    only: list[str] = field(default_factory=list)
    engines: list[str] = field(default_factory=list)
    inject: str = ""
    source: str = "oci"
    module: Path | None = None
    render: list[str] = field(default_factory=list)

    @property
    def slack(self) -> float:
        """By how much the limits of the scenarios are longer: on a busy node everything that is waited for takes longer."""
        return 1 + self.load / 10
