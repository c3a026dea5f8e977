#!/usr/bin/env python3
"""Measures what the plugin costs istiod: what istiod sends to each proxy, and the processor time that it needs for it.

A client that subscribes as Envoy does connects as many proxies; there are no pods. Some of the proxies take part (they have the
label and the signal listener), some are in the same namespace without the label, and the others are in another namespace. Then
the plugin is created, changed and deleted, in the namespace and for the whole mesh, and so is the ServiceEntry of the other route.
Choose an istiod that has nothing else to do: what others change meanwhile is counted, too.

It creates two namespaces, and a WasmPlugin in the root namespace. At its end it deletes them.
"""

import argparse
import json
import random
import signal
import string
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from command_line import between  # noqa: E402
from fleet import Fleet, Group, Sent  # noqa: E402

if TYPE_CHECKING:
    from cluster.kube import Kube

Json = dict[str, Any]

_ROOT = Path(__file__).resolve().parents[1]
# The name in sysexits(3).
EX_UNAVAILABLE = 69
# Istiod waits for more changes for at least 100 ms before it pushes, and for at most 10 s.
_LONGEST_DEBOUNCE_S = 10.0
_SILENCE_S = 3.0
_WITHIN_S = 300.0
# No proxy fetches it: the address only stands in what istiod sends.
_URL = "oci://registry.example.com/exeunt/exeunt@sha256:" + 64 * "0"
_OTHER_URL = "oci://registry.example.com/exeunt/exeunt@sha256:" + 64 * "1"
_EXTENSION = "TypedExtensionConfig"


class Istiod:
    """What istiod tells of itself, at its port for metrics."""

    def __init__(self, host: str, port: int) -> None:
        self._url = f"http://{host}:{port}/metrics"

    def processor_seconds(self) -> float:
        """The processor time that it has used since its start."""
        return float(self._value("process_cpu_seconds_total "))

    def release(self) -> str:
        """Its version, without the commit."""
        return self._value("istio_build{").split('tag="')[1].split('"')[0]

    def _value(self, beginning: str) -> str:
        with urllib.request.urlopen(self._url, timeout=20) as answer:  # noqa: S310 (the address is the user's)
            lines = answer.read().decode().splitlines()
        found = [line for line in lines if line.startswith(beginning)]
        if not found:
            raise OSError(f"{self._url} has no {beginning}")
        return found[0] if beginning.endswith("{") else found[0].removeprefix(beginning)


class Bench:
    """One istiod, its cluster, and the proxies that are connected."""

    def __init__(self, kube: "Kube", istiod: Istiod, options: argparse.Namespace, names: tuple[str, str]) -> None:
        self.kube = kube
        self.istiod = istiod
        self.options = options
        self.home, self.elsewhere = names
        self.rows: list[Json] = []

    def groups(self) -> list[Group]:
        """The kinds of proxies."""
        return [
            Group("with the label", self.home, self.options.labelled, takes_part=True),
            Group("without", self.home, self.options.unlabelled, takes_part=False),
            Group("elsewhere", self.elsewhere, self.options.elsewhere, takes_part=False),
        ]

    def connect(self, event: str) -> Fleet:
        """Connects all proxies, and notes what that takes."""
        before = self.istiod.processor_seconds()
        proxies = Fleet(f"{self.options.istiod}:{self.options.grpc_port}", self.istiod.release(), self.groups())
        self._note(event, proxies.settled(_SILENCE_S, _WITHIN_S), before, proxies)
        return proxies

    def change(self, event: str, proxies: Fleet, what: Any) -> None:
        """Does something, and notes what istiod sends because of it."""
        before, sent = self.istiod.processor_seconds(), proxies.sent()
        what()
        # The push comes after a while, and the silence before it is not its end.
        time.sleep(1)
        self._note(event, proxies.settled(_SILENCE_S, _WITHIN_S) - sent, before, proxies)

    def _note(self, event: str, sent: Sent, processor: float, proxies: Fleet) -> None:
        row: Json = {"event": event, "processor_s": round(self.istiod.processor_seconds() - processor, 2), "groups": {}}
        for group in proxies.groups:
            if group.proxies:
                row["groups"][group.name] = sent.each(group)
        self.rows.append(row)
        print(_shown(row), flush=True)

    def plugin(self, namespace: str, url: str = _URL) -> None:
        """Creates the plugin of wasmplugin.yaml."""
        body = _manifest("wasmplugin.yaml")
        body["spec"]["url"] = url
        self.kube.create(namespace, body)

    def other_url(self, namespace: str) -> None:
        """Changes the plugin as an upgrade does."""
        self.kube.merge("WasmPlugin", namespace, "exeunt", {"spec": {"url": _OTHER_URL}})

    def unplug(self, namespace: str) -> None:
        """Deletes the plugin."""
        self.kube.delete("WasmPlugin", namespace, "exeunt")


def measure(bench: Bench) -> None:
    """All events, in their order."""
    home, root = bench.home, bench.options.root_namespace
    with bench.connect("connect, no plugin") as proxies:
        bench.change("nothing, for ten seconds", proxies, lambda: time.sleep(10))
        for name, namespace in (("namespace", home), ("whole mesh", root)):
            bench.change(f"plugin created, {name}", proxies, lambda at=namespace: bench.plugin(at))
            bench.change(f"plugin changed, {name}", proxies, lambda at=namespace: bench.other_url(at))
            bench.change(f"plugin deleted, {name}", proxies, lambda at=namespace: bench.unplug(at))
        entry = _manifest("deploy/serviceentry.yaml")
        name = entry["metadata"]["name"]
        bench.change("ServiceEntry created", proxies, lambda: bench.kube.create(home, entry))
        bench.change("ServiceEntry deleted", proxies, lambda: bench.kube.delete("ServiceEntry", home, name))
    bench.plugin(home)
    time.sleep(_LONGEST_DEBOUNCE_S)
    with bench.connect("connect, with the plugin"):
        pass


def honest(rows: list[Json]) -> list[str]:
    """Why the figures cannot be believed; empty if they can."""
    by_event = {row["event"]: row["groups"] for row in rows}
    return [
        f"{event}: the proxies with the label were not sent the plugin"
        for event in ("plugin created, namespace", "plugin created, whole mesh", "connect, with the plugin")
        if by_event[event]["with the label"]["types"].get(_EXTENSION, {}).get("resources", 0) < 1
    ]


def _shown(row: Json) -> str:
    cells = [f"{one['pushes']:6.2f} {one['bytes']:10,.0f}" for one in row["groups"].values()]
    return f"{row['event']:28}" + "".join(f"{cell:>20}" for cell in cells) + f"{row['processor_s']:10.2f}"


def _heading(groups: list[Group]) -> str:
    names = "".join(f"{group.name:>20}" for group in groups if group.proxies)
    return (
        f"{'for each proxy:':28}{names}{'istiod':>10}\n{'':28}"
        + "".join(f"{'pushes      bytes':>20}" for group in groups if group.proxies)
        + f"{'CPU s':>10}"
    )


def _manifest(file: str) -> Json:
    import yaml

    body: Json = yaml.safe_load((_ROOT / file).read_text())
    return body


def services(kube: "Kube", namespace: str, count: int) -> None:
    """The services of the mesh, without pods: every proxy gets all of them."""
    for number in range(count):
        ports = [{"name": "http", "port": 80}, {"name": "tcp-db", "port": 5432}]
        spec = {"selector": {"app": f"service-{number}"}, "ports": ports}
        kube.create(namespace, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"service-{number}"}, "spec": spec})


def main() -> int:
    """Measures and prints. Exits 0 only if what was measured is what was meant."""
    from cluster.errors import Refused, RunError
    from cluster.kube import Kube

    options = arguments()
    # A shell starts background jobs with SIGINT ignored. Both end the run and delete what it has created.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(130))
    letters = "".join(random.choices(string.ascii_lowercase, k=5))
    names = (f"exeunt-bench-{letters}", f"exeunt-bench-{letters}-elsewhere")
    try:
        kube = Kube(options.kubeconfig)
        istiod = Istiod(options.istiod, options.metrics_port)
        bench = Bench(kube, istiod, options, names)
        print(f"Istio {istiod.release()}, {options.services} services of two ports, proxies:", end=" ")
        print(", ".join(f"{group.proxies:,} {group.name}" for group in bench.groups()))
        with ExitStack() as clean_up:
            for name in names:
                kube.create("", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
                clean_up.callback(kube.delete, "Namespace", "", name)
            clean_up.callback(kube.delete, "WasmPlugin", options.root_namespace, "exeunt")
            services(kube, names[1], options.services)
            # What istiod pushes because of them would be counted as what it sends to new proxies.
            time.sleep(_LONGEST_DEBOUNCE_S)
            print(_heading(bench.groups()))
            measure(bench)
    except (RunError, Refused, urllib.error.URLError, OSError, TimeoutError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return EX_UNAVAILABLE
    if options.json is not None:
        options.json.write_text(json.dumps({"istio": istiod.release(), "rows": bench.rows}, indent=2) + "\n")
    wrong = honest(bench.rows)
    for line in wrong:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./build.sh bench istiod", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kubeconfig", metavar="FILE", type=Path, required=True, help="the cluster's address and credentials")
    parser.add_argument(
        "--istiod",
        metavar="HOST",
        default="127.0.0.1",
        help="where istiod's ports are (127.0.0.1: those of kubectl -n istio-system port-forward deploy/istiod 15010 15014)",
    )
    parser.add_argument("--grpc-port", metavar="N", type=between(1, 65535), default=15010, help="its plain-text xDS port (15010)")
    parser.add_argument("--metrics-port", metavar="N", type=between(1, 65535), default=15014, help="its metrics port (15014)")
    parser.add_argument(
        "--root-namespace", metavar="NAME", default="istio-system", help="where a plugin is for the whole mesh (istio-system)"
    )
    for name, default, what in (
        ("labelled", 200, "proxies that take part"),
        ("unlabelled", 400, "proxies in the same namespace without the label"),
        ("elsewhere", 400, "proxies in another namespace"),
        ("services", 100, "services in the mesh"),
    ):
        parser.add_argument(f"--{name}", metavar="N", type=between(0, 10_000), default=default, help=f"{what} ({default})")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
