"""The two images as values: the plugin that Istio pulls, and the agent that kubelet pulls."""

from dataclasses import dataclass

from .binaries import Binary
from .content import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Blob, Json, json_blob
from .layers import Layer, layer_of
from .project import Project

PLUGIN = "exeunt"
AGENT = "exeunt-agent"
# Where a release puts them, and so what the chart, the samples and a loaded archive call them.
PUBLISHED = "ghcr.io/exeunt-dev"
PLUGIN_PLATFORM = "linux/amd64"
# Neither root nor any user of Istio's (1337) or of a task's: README.md and the samples name the same.
AGENT_USER = "65532:65532"

_PLUGIN_DESCRIPTION = "Proxy-Wasm filter that drains and ends the Istio proxy of a finished batch pod"
_AGENT_DESCRIPTION = "Sees a pod's main container end, and has the Istio proxy beside it leave once everything is delivered"


@dataclass(frozen=True)
class Single:
    """An image of one platform."""

    platform: str
    manifest: Blob
    config: Blob
    layer: Layer

    @property
    def blobs(self) -> list[Blob]:
        """Everything that it consists of, the manifest last: a registry takes one only when the rest is there."""
        return [self.layer.blob, self.config, self.manifest]


@dataclass(frozen=True)
class Image:
    """What one name and tag stand for: a manifest, or an index of several."""

    name: str
    top: Blob
    singles: list[Single]

    @property
    def blobs(self) -> list[Blob]:
        """Everything that it consists of, what is referred to before what refers to it."""
        parts = [blob for single in self.singles for blob in single.blobs]
        return list({blob.digest: blob for blob in [*parts, self.top]}.values())

    @property
    def platforms(self) -> list[str]:
        """For which it is."""
        return [single.platform for single in self.singles]


def plugin_image(project: Project, wasm: bytes) -> Image:
    """The plugin: one manifest, never an index.

    Istio compares the digest in `url: oci://…@sha256:…` with that of the manifest that it ends up with, so an index could not be
    pinned; and it looks into the last layer for plugin.wasm. The platform is what it looks for on every node, on arm64 too.
    """
    layer = layer_of("plugin.wasm", wasm, 0o644)
    single = _single(project, PLUGIN, _PLUGIN_DESCRIPTION, PLUGIN_PLATFORM, layer, {})
    return Image(PLUGIN, single.manifest, [single])


def agent_image(project: Project, binaries: list[Binary]) -> Image:
    """The agent: nothing but a static binary; an index where there are several platforms, which kubelet chooses from."""
    singles = []
    for binary in sorted(binaries, key=lambda binary: binary.platform):
        # No shell, no command to override, and no word "sh" for `pgrep -f sh`, with which Airflow ends its XCom sidecar.
        runs = {"Entrypoint": ["/exeunt-agent"], "User": AGENT_USER, "WorkingDir": "/"}
        layer = layer_of("exeunt-agent", binary.data, 0o755)
        singles.append(_single(project, AGENT, _AGENT_DESCRIPTION, binary.platform, layer, runs))
    if len(singles) == 1:
        return Image(AGENT, singles[0].manifest, singles)
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [single.manifest.descriptor(platform=_platform(single.platform)) for single in singles],
        "annotations": project.annotations(AGENT, _AGENT_DESCRIPTION),
    }
    return Image(AGENT, json_blob(OCI_INDEX, index), singles)


def _single(project: Project, name: str, description: str, platform: str, layer: Layer, runs: Json) -> Single:
    annotations = project.annotations(name, description)
    config = json_blob(
        OCI_CONFIG,
        {
            "created": project.created,
            **_platform(platform),
            # Registries and tools read one or the other: the annotations are also labels.
            "config": runs | {"Labels": annotations},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": [{"created": project.created, "created_by": "./build.sh image", "comment": description}],
        },
    )
    manifest = json_blob(
        OCI_MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.blob.descriptor()],
            "annotations": annotations,
        },
    )
    return Single(platform, manifest, config, layer)


def _platform(text: str) -> Json:
    system, architecture = text.split("/")
    return {"os": system, "architecture": architecture}
