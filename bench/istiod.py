#!/usr/bin/env python3
"""Measures what the plugin costs istiod: what istiod sends to each proxy, and the processor time that it needs for it.

A client that subscribes as Envoy does connects as many proxies; there are no pods. Some of the proxies take part (they have the
label and the signal listener), some are in the same namespace without the label, and the others are in another namespace. Then
the plugin is created, changed and deleted, in the namespace and for the whole mesh, and so is the other route's ServiceEntry.
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
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from command_line import Parser, between  # noqa: E402
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
# The kinds of proxies.
LABELLED, UNLABELLED, ELSEWHERE = "with the label", "without it", "elsewhere"


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


@dataclass(frozen=True)
class Event:
    """What happens to the mesh."""

    name: str
    # The groups of proxies that it concerns.
    concerns: tuple[str, ...]
    # Whether the proxies that take part are sent the plugin because of it.
    brings_plugin: bool = False


class Bench:
    """One istiod, its cluster, and what was measured."""

    def __init__(self, kube: "Kube", istiod: Istiod, options: argparse.Namespace, names: tuple[str, str]) -> None:
        self.kube, self.istiod, self.options = kube, istiod, options
        self.home, elsewhere = names
        self.groups = [
            Group(LABELLED, self.home, options.labelled, "listener"),
            Group(UNLABELLED, self.home, options.unlabelled, "none"),
            Group(ELSEWHERE, elsewhere, options.elsewhere, "none"),
        ]
        self.rows: list[Json] = []
        # Why the figures cannot be believed.
        self.wrong: list[str] = []

    def measure(self) -> None:
        """All events, in their order."""
        at_home, all_of_them = (LABELLED, UNLABELLED), (LABELLED, UNLABELLED, ELSEWHERE)
        with self.connect(Event("connect, no plugin", all_of_them)) as fleet:
            self.change(Event("nothing, for ten seconds", ()), fleet, lambda: time.sleep(10))
            for where, namespace, concerns in (
                ("namespace", self.home, at_home),
                ("whole mesh", self.options.root_namespace, all_of_them),
            ):
                self.change(Event(f"plugin created, {where}", concerns, True), fleet, partial(self.plugin, namespace))
                self.change(Event(f"plugin changed, {where}", concerns, True), fleet, partial(self.other_url, namespace))
                self.change(Event(f"plugin deleted, {where}", concerns), fleet, partial(self.unplug, namespace))
            entry = _manifest("deploy/serviceentry.yaml")
            name = entry["metadata"]["name"]
            self.change(Event("ServiceEntry created", at_home), fleet, partial(self.kube.create, self.home, entry))
            self.change(Event("ServiceEntry deleted", at_home), fleet, partial(self.kube.delete, "ServiceEntry", self.home, name))
        self.plugin(self.home)
        time.sleep(_LONGEST_DEBOUNCE_S)
        with self.connect(Event("connect, plugin", all_of_them, True)):
            pass
        # The other route: an address instead of a listener.
        self.groups[0] = replace(self.groups[0], has="label")
        self.kube.create(self.home, entry)
        time.sleep(_LONGEST_DEBOUNCE_S)
        with self.connect(Event("connect, plugin, ServiceEntry", all_of_them, True)):
            pass

    def connect(self, event: Event) -> Fleet:
        """Connects all proxies, and notes what that takes."""
        before = self.istiod.processor_seconds()
        fleet = Fleet(f"{self.options.istiod}:{self.options.grpc_port}", self.istiod.release(), self.groups)
        self._note(event, fleet.settled(_SILENCE_S, _WITHIN_S), before)
        return fleet

    def change(self, event: Event, fleet: Fleet, what: Callable[[], object]) -> None:
        """Does something, and notes what istiod sends because of it."""
        before, sent = self.istiod.processor_seconds(), fleet.sent()
        what()
        # The push comes after a while, and the silence before it is not its end.
        time.sleep(1)
        self._note(event, fleet.settled(_SILENCE_S, _WITHIN_S) - sent, before)

    def plugin(self, namespace: str) -> None:
        """Creates the plugin of wasmplugin.yaml."""
        body = _manifest("wasmplugin.yaml")
        body["spec"]["url"] = _URL
        self.kube.create(namespace, body)

    def other_url(self, namespace: str) -> None:
        """Changes the plugin as an upgrade does."""
        self.kube.merge("WasmPlugin", namespace, "exeunt", {"spec": {"url": _OTHER_URL}})

    def unplug(self, namespace: str) -> None:
        """Deletes the plugin."""
        self.kube.delete("WasmPlugin", namespace, "exeunt")

    def _note(self, event: Event, sent: Sent, processor: float) -> None:
        groups = {group.name: sent.each(group) for group in self.groups}
        row: Json = {"event": event.name, "processor_s": round(self.istiod.processor_seconds() - processor, 2), "groups": groups}
        self.rows.append(row)
        self.wrong += why_wrong(event, groups)
        cells = "".join(f"{one['pushes']:10.2f} {one['bytes']:9,.0f}" for one in groups.values())
        print(f"{event.name:30}{cells}{row['processor_s']:10.2f}", flush=True)

    def heading(self) -> str:
        """The head of the table."""
        kinds = "".join(f"{group.name:>20}" for group in self.groups)
        columns = "".join(f"{'pushes':>10} {'bytes':>9}" for _ in self.groups)
        return f"{'for each proxy:':30}{kinds}{'istiod':>10}\n{'':30}{columns}{'CPU s':>10}"


def why_wrong(event: Event, groups: Json) -> list[str]:
    """Why what was sent to each group cannot be because of this event alone."""
    wrong = [
        f"{event.name}: the proxies {group} were sent something: has somebody else changed the mesh?"
        for group, sent in groups.items()
        if sent["pushes"] and group not in event.concerns
    ]
    if event.brings_plugin and groups[LABELLED]["types"].get(_EXTENSION, {}).get("resources", 0) < 1:
        wrong.append(f"{event.name}: the proxies {LABELLED} were not sent the plugin")
    return wrong


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
    options = arguments()
    # Only a run needs the Kubernetes client, and not the help.
    from cluster.errors import Refused, RunError
    from cluster.kube import Kube

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
        print(", ".join(f"{group.proxies:,} {group.name}" for group in bench.groups))
        with ExitStack() as clean_up:
            for name in names:
                kube.create("", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
                clean_up.callback(kube.delete, "Namespace", "", name)
            clean_up.callback(kube.delete, "WasmPlugin", options.root_namespace, "exeunt")
            services(kube, names[1], options.services)
            # What istiod pushes because of them would be counted as what it sends to new proxies.
            time.sleep(_LONGEST_DEBOUNCE_S)
            print(bench.heading())
            bench.measure()
    except (RunError, Refused, urllib.error.URLError, OSError, TimeoutError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return EX_UNAVAILABLE
    if options.json is not None:
        options.json.write_text(json.dumps({"istio": istiod.release(), "rows": bench.rows}, indent=2) + "\n")
    for line in bench.wrong:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if bench.wrong else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = Parser(prog="./build.sh bench istiod", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    for name, default, least, what in (
        ("labelled", 200, 1, "proxies that take part"),
        ("unlabelled", 400, 1, "proxies in the same namespace without the label"),
        ("elsewhere", 400, 1, "proxies in another namespace"),
        ("services", 100, 0, "services in the mesh"),
    ):
        parser.add_argument(f"--{name}", metavar="N", type=between(least, 10_000), default=default, help=f"{what} ({default})")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
