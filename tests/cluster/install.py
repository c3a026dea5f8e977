"""exeunt, as a user would install it: the plain manifests, or the chart."""

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .arguments import Options
from .trouble import Trouble

if TYPE_CHECKING:
    from .kube import Kube

Json = dict[str, Any]

_ROOT = Path(__file__).resolve().parents[2]
_CHART = _ROOT / "deploy" / "chart"
_MANIFESTS = ("wasmplugin.yaml", "deploy/serviceentry.yaml")
# A refused connection ends a pull at once; an unroutable one would hold every proxy's start for half a minute.
_NOWHERE = "http://127.0.0.1:1/exeunt.wasm"
_HELM_S = 180


def check(options: Options) -> None:
    """That what the installation needs is there, before anything is made."""
    if options.install == "chart" and shutil.which("helm") is None:
        raise Trouble("SKIPPED --install chart: helm is not in PATH, so nothing was tested; get it, or use --install manifests")
    if options.install == "chart" and not _CHART.is_dir():
        raise Trouble("SKIPPED --install chart: there is no deploy/chart here, so nothing was tested; use --install manifests")


def exeunt(kube: "Kube", options: Options) -> None:
    """Installs it, and beside it a plugin that cannot be fetched, for the pods that ask for that one."""
    if options.install == "chart":
        _helm(options)
    else:
        for file in _MANIFESTS:
            kube.create(options.namespace, _manifest(file, options.plugin_url))
    broken = _manifest("wasmplugin.yaml", _NOWHERE)
    broken["metadata"]["name"] = "exeunt-broken"
    broken["spec"]["selector"] = {"matchLabels": {"exeunt.dev/drain": "broken"}}
    kube.create(options.namespace, broken)


def chart_values(url: str) -> list[str]:
    """The chart's values for a plugin's address: repository, and a tag or a digest."""
    image, _, digest = url.removeprefix("oci://").partition("@")
    registry, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    values = {"repository": f"{registry}{slash}{name}", "tag": tag, "digest": digest}
    return [f"plugin.image.{key}={value}" for key, value in values.items() if value]


def _manifest(file: str, url: str) -> Json:
    body: Json = yaml.safe_load((_ROOT / file).read_text())
    if body["kind"] == "WasmPlugin":
        body["spec"]["url"] = url
    return body


def _helm(options: Options) -> None:
    words = ["helm", "install", "exeunt", str(_CHART), "--namespace", options.namespace, "--kubeconfig", str(options.kubeconfig)]
    for value in chart_values(options.plugin_url):
        words += ["--set-string", value]
    # Both routes: the annotation of each pod, and the ServiceEntry for those without.
    words += ["--set", "route=serviceEntry", "--wait", "--timeout", "2m"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_HELM_S)
    except subprocess.TimeoutExpired:
        raise Trouble(f"helm install has not ended after {_HELM_S} s") from None
    if done.returncode != 0:
        raise Trouble(*(f"helm: {line}" for line in done.stderr.strip().splitlines()))
