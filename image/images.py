"""The images as values: the plugin, which Istio pulls, and the agent and the command, which the node pulls."""

from dataclasses import dataclass

from .binaries import Binary
from .content import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Blob, Json, json_blob
from .layers import Layer, layer_of
from .project import Project

PLUGIN = "exeunt"
AGENT = "exeunt-agent"
COMMAND = "kubectl-exeunt"
# Where a release pushes them. The chart and the samples use these names, and so does a loaded archive.
PUBLISHED = "ghcr.io/exeunt-dev"
PLUGIN_PLATFORM = "linux/amd64"
# Not root, not Istio's user (1337) and not a task's. The command has it, too.
AGENT_USER = "15190:15190"

_PLUGIN_DESCRIPTION = "Proxy-Wasm filter that drains and ends the Istio proxy of a finished batch pod"
_AGENT_DESCRIPTION = "Ends the Istio proxy of a batch pod when the main container has ended and all data is delivered"
_COMMAND_DESCRIPTION = "kubectl exeunt: says why a batch pod does not end, and ends it; by itself as a controller"


@dataclass(frozen=True)
class Single:
    """An image of one platform."""

    platform: str
    manifest: Blob
    config: Blob
    layers: list[Layer]

    @property
    def blobs(self) -> list[Blob]:
        """All of its blobs, the manifest last: a registry only takes it after the others."""
        return [*(layer.blob for layer in self.layers), self.config, self.manifest]


@dataclass(frozen=True)
class Image:
    """What a name and a tag stand for: a manifest, or an index of several manifests."""

    name: str
    top: Blob
    singles: list[Single]

    @property
    def blobs(self) -> list[Blob]:
        """All of its blobs; each comes after the blobs that it refers to."""
        parts = [blob for single in self.singles for blob in single.blobs]
        return list({blob.digest: blob for blob in [*parts, self.top]}.values())

    @property
    def platforms(self) -> list[str]:
        """The platforms that it is for."""
        return [single.platform for single in self.singles]


def plugin_image(project: Project, wasm: bytes) -> Image:
    """The plugin: one manifest, never an index.

    Istio compares the digest in `url: oci://…@sha256:…` with that of the manifest that it takes in the end, so the digest of an
    index would not match. It looks for plugin.wasm in the last layer, and for this platform on every node, on arm64 too.
    """
    single = _single(project, PLUGIN, _PLUGIN_DESCRIPTION, PLUGIN_PLATFORM, [_module(wasm)], {})
    return Image(PLUGIN, single.manifest, [single])


def agent_image(project: Project, binaries: list[Binary], wasm: bytes) -> Image:
    """The agent: a static binary, and the plugin's module. For several platforms it is an index, from which the node chooses.

    The agent does not read the module. Kubelet mounts this image into istio-proxy as an image volume, and the proxy finds the
    module there: one image to mirror and to sign, which the node has already. The module's layer is first, so that Istio, which
    looks into the last one, does not take the agent's image for the plugin's.
    """
    return _of_programs(project, AGENT, _AGENT_DESCRIPTION, binaries, [_module(wasm)])


def command_image(project: Project, binaries: list[Binary]) -> Image:
    """`kubectl exeunt` for the controller and for a CronJob: a static binary, and nothing else."""
    return _of_programs(project, COMMAND, _COMMAND_DESCRIPTION, binaries, [])


def _of_programs(project: Project, name: str, description: str, binaries: list[Binary], before: list[Layer]) -> Image:
    """An image that runs a static binary. `before` are the layers in front of it."""
    singles = []
    for binary in sorted(binaries, key=lambda binary: binary.platform):
        # There is no shell. The command line must not contain "sh": Airflow ends its XCom sidecar with `pgrep -f sh`.
        runs = {"Entrypoint": [f"/{name}"], "User": AGENT_USER, "WorkingDir": "/"}
        layers = [*before, layer_of(name, binary.data, 0o755)]
        singles.append(_single(project, name, description, binary.platform, layers, runs))
    if len(singles) == 1:
        return Image(name, singles[0].manifest, singles)
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [single.manifest.descriptor(platform=_platform(single.platform)) for single in singles],
        "annotations": project.annotations(name, description),
    }
    return Image(name, json_blob(OCI_INDEX, index), singles)


def _module(wasm: bytes) -> Layer:
    return layer_of("plugin.wasm", wasm, 0o644)


def _single(project: Project, name: str, description: str, platform: str, layers: list[Layer], runs: Json) -> Single:
    annotations = project.annotations(name, description)
    config = json_blob(
        OCI_CONFIG,
        {
            "created": project.created,
            **_platform(platform),
            # The annotations are also labels, because some registries and tools read only labels.
            "config": runs | {"Labels": annotations},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": project.created, "created_by": "./build.sh image", "comment": description} for _ in layers],
        },
    )
    manifest = json_blob(
        OCI_MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.blob.descriptor() for layer in layers],
            "annotations": annotations,
        },
    )
    return Single(platform, manifest, config, layers)


def _platform(text: str) -> Json:
    system, architecture = text.split("/")
    return {"os": system, "architecture": architecture}
