"""Installs exeunt as a user does: with the plain manifests or with the chart."""

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RunError
from .options import Options

if TYPE_CHECKING:
    from .kube import Kube

Json = dict[str, Any]

_ROOT = Path(__file__).resolve().parents[2]
_CHART = _ROOT / "deploy" / "chart"
_MANIFESTS = ("wasmplugin.yaml", "deploy/serviceentry.yaml")
# The address of a plugin that cannot be fetched, because the connection is refused: that delays a proxy by some seconds.
_CLOSED_URL = "http://127.0.0.1:1/exeunt.wasm"
# The same, because nobody answers (RFC 5737 reserves the address): that delays a proxy by half a minute.
_SILENT_URL = "oci://198.51.100.1/exeunt:1"
_HELM_TIMEOUT_S = 180
# For each label its plugin: an address, if it is not the working one's, and limits that are not the default.
_VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "broken": (_CLOSED_URL, {}),
    "silent": (_SILENT_URL, {}),
    "patient": ("", {"stallTimeout": "40s"}),
    "hasty": ("", {"drainTimeout": "5s"}),
}


def check(options: Options) -> None:
    """Checks, before anything is created, that the installation has what it needs."""
    if options.install == "chart" and shutil.which("helm") is None:
        raise RunError(
            "SKIPPED --install chart: helm is not in PATH, so nothing was tested; install it, or use --install manifests"
        )
    if options.install == "chart" and not _CHART.is_dir():
        raise RunError("SKIPPED --install chart: deploy/chart does not exist, so nothing was tested; use --install manifests")


def exeunt(kube: "Kube", options: Options) -> None:
    """Installs exeunt, and further plugins for the pods that ask for them by the label exeunt.dev/drain."""
    if options.install == "chart":
        _helm(options)
    else:
        for file in _MANIFESTS:
            kube.create(options.namespace, manifest(file, options.plugin_url))
    for label, (url, limits) in _VARIANTS.items():
        plugin = manifest("wasmplugin.yaml", url or options.plugin_url)
        plugin["metadata"]["name"] = f"exeunt-{label}"
        plugin["spec"]["selector"] = {"matchLabels": {"exeunt.dev/drain": label}}
        plugin["spec"]["pluginConfig"] |= limits
        kube.create(options.namespace, plugin)


def chart_values(url: str) -> list[str]:
    """The chart's values for the address of a plugin: the repository, and a tag or a digest."""
    return image_values("plugin", url.removeprefix("oci://"))


def image_values(of: str, reference: str) -> list[str]:
    """The chart's values for the image of the plugin or of the agent."""
    image, _, digest = reference.partition("@")
    registry, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    values = {"repository": f"{registry}{slash}{name}", "tag": tag, "digest": digest}
    return [f"{of}.image.{key}={value}" for key, value in values.items() if value]


def manifest(file: str, url: str) -> Json:
    """A manifest of the repository, with the address of the plugin."""
    # The Kubernetes client brings this package. Without a cluster the program works without both.
    import yaml

    body: Json = yaml.safe_load((_ROOT / file).read_text())
    if body["kind"] == "WasmPlugin":
        body["spec"]["url"] = url
    return body


def _helm(options: Options) -> None:
    words = ["helm", "install", "exeunt", str(_CHART), "--namespace", options.namespace, "--kubeconfig", str(options.kubeconfig)]
    for value in chart_values(options.plugin_url):
        words += ["--set-string", value]
    # Both routes: the annotation of each pod, and the ServiceEntry for pods without the annotation.
    words += ["--set", "route=serviceEntry", "--wait", "--timeout", "2m"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_HELM_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise RunError(f"helm install has not ended after {_HELM_TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise RunError(*(f"helm: {line}" for line in done.stderr.strip().splitlines()))
