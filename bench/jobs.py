#!/usr/bin/env python3
"""Measures on a cluster with Istio how much later a task starts with exeunt, and who pulls the plugin.

It compares the same Job without exeunt, with the agent, and with the plugin from each source: first pod after pod, each kind in
turn, then many pods at once. The times are those of a watch of the API. What a proxy pulls stands in its log, and what kubelet
pulls in its events; that the plugin was there stands in the verdict of the agent.

It creates a namespace for each kind, and deletes them at the end.
"""

import argparse
import json
import random
import signal
import string
import sys
import time
from contextlib import ExitStack
from operator import truediv
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import kinds  # noqa: E402
from command_line import Parser, between  # noqa: E402
from harness import paths  # noqa: E402
from stopwatch import Seen, Stopwatch  # noqa: E402

if TYPE_CHECKING:
    from cluster.kube import Kube

Json = dict[str, Any]

# The name in sysexits(3).
EX_UNAVAILABLE = 69
# What a task may start later than without exeunt, in milliseconds.
MOST_LATER_MS = 250
_SLEEP_S = 1
# Kubelet's PLEG and its probes of istio-proxy.
_KUBELET_S = 1.0
# A pod, and each further one at the same time.
_WITHIN_S, _MORE_S = 120.0, 5.0
# What Istio's agent logs before it pulls a module (istio, pkg/wasm/imagefetcher.go).
_PULLS = "fetching image"


class Place:
    """The namespace of a kind."""

    def __init__(self, kube: "Kube", kind: str, namespace: str, options: argparse.Namespace) -> None:
        self.kube, self.kind, self.namespace, self.options = kube, kind, namespace, options
        injection = {"istio.io/rev": options.revision} if options.revision else {"istio-injection": "enabled"}
        labels = injection | ({"exeunt.dev/drain": "on"} if kind == "injected" else {})
        kube.create("", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        for body in kinds.objects(kind, options.plugin_url, paths.wasm()):
            kube.create(namespace, body)
        self.watch = Stopwatch(kube, namespace)

    def run(self, name: str, form: str, pods: int) -> Json:
        """Runs a Job, and returns its times in milliseconds and what was pulled."""
        body = kinds.job(
            name,
            self.kind,
            form,
            agent_image=self.options.agent_image,
            task_image=self.options.task_image,
            module_image=self.options.module_image,
            pods=pods,
            sleep_s=_SLEEP_S,
        )
        created = time.monotonic()
        self.kube.create(self.namespace, body)
        try:
            seen = self._wait(name, form, pods)
        except TimeoutError as late:
            raise TimeoutError(f"{late}{self._not_created(name)}") from None
        wrong = [line for one in seen for line in self._wrong(one)]
        result: Json = {
            "started": [(one.started - created) * 1000 for one in seen],
            "left": [(one.ended - one.task_ended) * 1000 for one in seen if one.ended],
            "pulls": sum(self._pulls(one) for one in seen),
            "wrong": wrong[:1],
        }
        self.kube.delete("Job", self.namespace, name)
        return result

    def kubelet_pulls(self) -> int:
        """How often kubelet has begun to pull an image for a pod of the namespace."""
        events = self.kube.read("Event", self.namespace, "") or {"items": []}
        return sum(event.get("count") or 1 for event in events["items"] if event["reason"] == "Pulling")

    def _wait(self, name: str, form: str, pods: int) -> list[Seen]:
        within = _WITHIN_S + _MORE_S * pods
        seen = self.watch.wait(name, pods, lambda one: one.started, "have started", within)
        # A classic proxy without exeunt never ends.
        if self.kind == "without" and form != "native":
            return seen
        return self.watch.wait(name, pods, lambda one: one.ended, "have ended", within)

    def _not_created(self, job: str) -> str:
        """What the Job's controller says if the API server has refused a pod; empty if it has not."""
        events = self.kube.read("Event", self.namespace, "") or {"items": []}
        said = [
            event.get("message", "")
            for event in events["items"]
            if event["reason"] == "FailedCreate" and event["involvedObject"]["name"] == job
        ]
        return f"; FailedCreate: {said[-1]}" if said else ""

    def _pulls(self, seen: Seen) -> int:
        return self.kube.log(self.namespace, seen.pod["metadata"]["name"], kinds.PROXY).count(_PULLS)

    def _wrong(self, seen: Seen) -> list[str]:
        """Why a pod is not what it stands for."""
        name = f"{self.kind}: pod {seen.pod['metadata']['name']}"
        if kinds.has_agent(seen.pod) != (self.kind != "without"):
            return [f"{name} has {'no' if self.kind != 'without' else 'an'} agent"]
        route = seen.verdict().get("route")
        if (str(route).startswith("filter")) != (self.kind in kinds.WITH_PLUGIN):
            return [f"{name} was drained by {route} and not by the plugin"]
        return []


class Bench:
    """All kinds, and what was measured."""

    def __init__(self, places: list[Place], options: argparse.Namespace) -> None:
        self.places, self.options = places, options
        self.rows: list[Json] = []
        self.wrong: list[str] = []

    def in_turn(self, form: str) -> None:
        """Pod after pod; the kinds take turns, so that a busy minute meets all of them."""
        results: dict[str, list[Json]] = {place.kind: [] for place in self.places}
        # The first round warms up what caches there are.
        for turn in range(self.options.runs + 1):
            progress(f"{form}, round {turn} of {self.options.runs}")
            for place in self.places:
                # Kubelet looks once a second whether a container has ended, and whether a proxy is ready. In step with it all
                # pods of a kind would just miss such a moment, or none would.
                time.sleep(random.uniform(0, _KUBELET_S))
                result = place.run(f"{form}-{turn}", form, 1)
                if turn:
                    results[place.kind].append(result)
        print(f"\n{form} proxies, one pod after the other, {self.options.runs} of each kind; means in ms")
        print(f"{'':14}{'create to start':>16}{'later':>8}{'ratio':>8}{'task to pod end':>17}{'pulls of proxies':>18}")
        for place in self.places:
            self.note(form, place.kind, 1, results[place.kind])

    def at_once(self, form: str, pods: int) -> None:
        """Many pods at once, kind after kind."""
        results = {}
        for place in self.places:
            progress(f"{form}, {pods} pods at once, {place.kind}")
            results[place.kind] = place.run(f"{form}-{pods}-at-once", form, pods)
        print(f"\n{form} proxies, {pods} pods at once; medians in ms, and the last of the starts")
        print(f"{'':14}{'create to start':>16}{'last':>8}{'task to pod end':>17}{'pulls of proxies':>18}")
        for place in self.places:
            self.note(form, place.kind, pods, [results[place.kind]])

    def note(self, form: str, kind: str, pods: int, results: list[Json]) -> None:
        """Adds a row for a kind, and prints it."""
        started = [time for result in results for time in result["started"]]
        left = [time for result in results for time in result["left"]]
        # Because of kubelet's seconds the starts of single pods are in two heaps, between which a median jumps.
        middle = mean if pods == 1 else median
        row = {"form": form, "kind": kind, "pods": pods, "start_ms": middle(started), "last_start_ms": max(started)}
        row |= {"end_ms": middle(left) if left else None, "pulls": sum(result["pulls"] for result in results)}
        self.rows.append(row)
        self.wrong += [line for result in results for line in result["wrong"]]
        base = next((one for one in self.rows if (one["form"], one["kind"], one["pods"]) == (form, "without", 1)), None)
        other = f"{row['last_start_ms']:>8,.0f}"
        if pods == 1:
            # Those of one round have met the same minute: their ratio says something on a busy machine, too.
            row["starts_ms"] = started
            row["later_ms"] = row["start_ms"] - base["start_ms"] if base else None
            row["ratio"] = mean(map(truediv, started, base["starts_ms"])) if base else None
            other = f"{row['later_ms']:>+8,.0f}{row['ratio']:>8.2f}" if base else f"{'':16}"
            if base and row["later_ms"] > MOST_LATER_MS:
                self.wrong.append(f"{form}, {kind}: the task starts {row['later_ms']:+,.0f} ms later: at most {MOST_LATER_MS}")
        end = f"{row['end_ms']:,.0f}" if left else "never"
        print(f"{kind:14}{row['start_ms']:16,.0f}{other}{end:>17}{row['pulls']:18}", flush=True)

    def images(self) -> None:
        """What kubelet has pulled in all."""
        print("\nimages that kubelet has pulled: ", end="")
        print(", ".join(f"{place.kind} {place.kubelet_pulls()}" for place in self.places))


def main() -> int:
    """Measures and prints. Exits 0 only if the pods were what they stand for, and no task started later than it may."""
    options = arguments()
    # Only a run needs the Kubernetes client, and not the help.
    from cluster.errors import Refused, RunError
    from cluster.kube import Kube

    # A shell starts background jobs with SIGINT ignored. Both signals end the run, which then deletes what it has created.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(130))
    letters = "".join(random.choices(string.ascii_lowercase, k=5))
    try:
        kube = Kube(options.kubeconfig)
        with ExitStack() as clean_up:
            places = []
            for kind in options.kinds:
                name = f"exeunt-bench-{letters}-{kind.lower()}"
                clean_up.callback(kube.delete, "Namespace", "", name)
                places.append(Place(kube, kind, name, options))
            # The API server admits no pod before the service account exists.
            time.sleep(2)
            bench = Bench(places, options)
            for form in options.forms:
                if options.runs:
                    bench.in_turn(form)
                if options.at_once:
                    bench.at_once(form, options.at_once)
            bench.images()
    except (RunError, Refused, paths.Missing, TimeoutError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return EX_UNAVAILABLE
    if options.json is not None:
        options.json.write_text(json.dumps({"rows": bench.rows, "wrong": bench.wrong}, indent=2) + "\n")
    for line in bench.wrong:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if bench.wrong else 0


def progress(what: str) -> None:
    """One line about what runs."""
    print(what, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        prog="./build.sh bench jobs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="kinds:\n" + "\n".join(f"  {kind:12} {what}" for kind, what in kinds.KINDS.items()),
    )
    parser.add_argument("--kubeconfig", metavar="FILE", type=Path, required=True, help="the cluster's address and credentials")
    parser.add_argument("--agent-image", metavar="IMAGE", required=True, help="the agent's image, as the nodes pull it")
    parser.add_argument("--plugin-url", metavar="URL", required=True, help="oci://…: where the proxies pull the plugin")
    parser.add_argument("--module-image", metavar="IMAGE", help="the image of the image volume (the one of --agent-image)")
    parser.add_argument(
        "--task-image",
        metavar="IMAGE",
        default="docker.io/library/busybox:1.37",
        help="the image of the tasks, with `sleep` (docker.io/library/busybox:1.37)",
    )
    parser.add_argument("--revision", metavar="NAME", default="", help="label the namespaces istio.io/rev=NAME")
    parser.add_argument(
        "--kinds", metavar="KIND", nargs="+", choices=kinds.KINDS, default=["without", "lines", "registry", "configMap"]
    )
    parser.add_argument("--forms", metavar="FORM", nargs="+", choices=kinds.FORMS, default=["native"], help="native, classic")
    parser.add_argument("--runs", metavar="N", type=between(0, 100), default=6, help="how many pods of each kind in turn (6)")
    parser.add_argument("--at-once", metavar="N", type=between(0, 1000), default=20, help="how many pods at once (20)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file as JSON")
    options = parser.parse_args()
    if not options.plugin_url.startswith("oci://"):
        parser.error("--plugin-url must begin with oci://: the proxies' pulls are counted")
    options.module_image = options.module_image or options.agent_image
    return options


if __name__ == "__main__":
    sys.exit(main())
