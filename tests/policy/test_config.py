"""The annotations that the policy writes into: a pod's own proxy configuration, and its own volumes of the proxy."""

import json
from typing import Any

import pytest
import yaml

from inject.test_options import job
from policy.server import Server
from policy.test_options import KEEP, has_agent, one

CONFIG = "proxy.istio.io/config"
VOLUMES, MOUNTS = "sidecar.istio.io/userVolume", "sidecar.istio.io/userVolumeMount"
ADDED = {"ISTIO_META_HTTP_PROXY_PORT": "15190", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}

# Texts into which the policy can write: afterwards they say what they said, and what exeunt needs.
MERGED = [
    "",
    " \n",
    "{}",
    "{ }",
    "holdApplicationUntilProxyStarts: true",
    "concurrency: 2\n",
    "# a comment\n\nconcurrency: 2\ntracing:\n  sampling: 1.5\n",
    "terminationDrainDuration: |\n  25s\n",
    "extraStatTags:\n- a\n- b\n",
    '{"concurrency": 2}',
    '{"concurrency": 2,\n "tracing": {"sampling": 1}}\n',
    "{concurrency: 2}",
    "proxyMetadata: {A: b}",
    "proxyMetadata: {}",
    '{"proxyMetadata":{"A":"b"},"concurrency":2}',
    '{\n  "proxyMetadata": {\n    "A": "b"\n  }\n}\n',
    'concurrency: 2\nproxyMetadata:\n  A: "b"\n  C: d\n',
    "proxyMetadata:\n    A: b\nconcurrency: 2\n",
    'proxyMetadata: # ours\n\n  # the first\n  "A": b\n',
    'proxyMetadata:\n  EXIT_ON_ZERO_ACTIVE_CONNECTIONS: "false"\n',
    'proxyMetadata:\n  ISTIO_META_HTTP_PROXY_PORT: "15190"\n',
    "# it's ours\ndiscoveryAddress: 'istiod:15012'\nproxyMetadata:\n  A: b\n",
    '{"discoveryAddress": "istiod:15012", "proxyMetadata": {"A": "b"}}',
]

# Texts that stay as they are, because a change could mean something else.
KEPT = [
    "  concurrency: 2\n",
    "---\nconcurrency: 2\n",
    "concurrency: 2\n...\n",
    "# proxyMetadata:\n#   A: b\nproxyMetadata:\n  A: b\n",
    "proxyMetadata: &all\n  A: b\n",
    "proxyMetadata:\n  <<: {A: b}\n",
    "{concurrency: 2, # two\n proxyMetadata: {A: b}}",
    "proxyMetadata:\n",
    "? concurrency\n: 2\n",
    "[1, 2]",
    "nonsense",
    # The word is a part of a text, and what is written behind it would end that text.
    'concurrency: 2\nextraStatTags: ["proxyMetadata: {"]\n',
    '{"extraStatTags": ["a,proxyMetadata: {"]}',
    '{"binaryPath": "\\",proxyMetadata: {"}',
    '{binaryPath: \'"\', configPath: ",proxyMetadata: {"}',
    'binaryPath: "a\nproxyMetadata: {"\n',
    "binaryPath: 'a\nproxyMetadata:\n  A: b'\n",
]


def told(server: Server, text: str, **values: Any) -> str:
    """What becomes of the annotation."""
    pod = job()
    pod["metadata"]["annotations"] = {CONFIG: text}
    created = one(server, pod, **values)
    assert has_agent(created)
    return str(created.stored["metadata"]["annotations"][CONFIG])


@pytest.mark.parametrize("text", MERGED)
def test_a_configuration_keeps_its_meaning_and_gets_what_is_missing(text: str, server: Server) -> None:
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(told(server, text, **KEEP))
    assert after == before | {"proxyMetadata": ADDED | (before.get("proxyMetadata") or {})}


@pytest.mark.parametrize("text", KEPT)
def test_a_configuration_that_cannot_be_changed_safely_stays_as_it_is(text: str, server: Server) -> None:
    assert told(server, text, **KEEP) == text


def test_a_complete_configuration_stays_as_it_is(server: Server) -> None:
    text = 'proxyMetadata: {ISTIO_META_HTTP_PROXY_PORT: "15190"} # all\n'
    assert told(server, text) == text


def mounted(server: Server, source: str, **own: str) -> dict[str, Any]:
    """The annotations for the proxy's volumes, read."""
    pod = job()
    pod["metadata"]["annotations"] = {{"volume": VOLUMES, "mount": MOUNTS}[key]: text for key, text in own.items()}
    stored = one(server, pod, plugin={"source": source}).stored["metadata"]["annotations"]
    return {key: json.loads(stored[key]) for key in (VOLUMES, MOUNTS) if key in stored}


FIRST_WITH_IMAGE_VOLUMES = (1, 35)
MOUNT = {"exeunt-module": {"mountPath": "/etc/exeunt", "readOnly": True}}
MODULES: dict[str, Any] = {
    "configMap": {"exeunt-module": {"configMap": {"name": "exeunt-module", "optional": True}}},
    "imageVolume": {"exeunt-module": {"image": {"reference": "registry.example/exeunt-agent:test"}}},
}


@pytest.mark.parametrize("source", MODULES)
def test_the_module_is_mounted_into_the_proxy(source: str, server: Server) -> None:
    if source == "imageVolume" and server.version < FIRST_WITH_IMAGE_VOLUMES:
        with pytest.raises(AssertionError, match=r"Kubernetes has image volumes from 1\.35"):
            mounted(server, source)
        return
    assert mounted(server, source) == {VOLUMES: MODULES[source], MOUNTS: MOUNT}


def test_a_module_from_a_registry_is_not_mounted(server: Server) -> None:
    assert mounted(server, "oci") == {}


def test_the_proxy_keeps_its_own_volumes(server: Server) -> None:
    volume, mount = '{"certs": {"secret": {"secretName": "certs"}}}', ' { "certs":{"mountPath":"/certs"}}'
    found = mounted(server, "configMap", volume=volume, mount=mount)
    assert found == {VOLUMES: json.loads(volume) | MODULES["configMap"], MOUNTS: json.loads(mount) | MOUNT}
    assert mounted(server, "configMap", volume="{}", mount="{ }") == {VOLUMES: MODULES["configMap"], MOUNTS: MOUNT}


@pytest.mark.parametrize(
    "own",
    [
        {"volume": '{"exeunt-module": {"emptyDir": {}}}'},
        {"mount": '{"mine": {"mountPath": "/etc/exeunt"}}'},
        {"volume": '[{"name": "certs"}]'},
    ],
)
def test_the_module_is_not_mounted_where_something_else_is(own: dict[str, str], server: Server) -> None:
    found = mounted(server, "configMap", **own)
    assert found == {{"volume": VOLUMES, "mount": MOUNTS}[key]: json.loads(text) for key, text in own.items()}


def test_a_volume_of_that_name_is_the_pod_s_own(server: Server) -> None:
    pod = job()
    pod["spec"]["volumes"] = [{"name": "exeunt-module", "emptyDir": {}}]
    annotations = one(server, pod, plugin={"source": "configMap"}).stored["metadata"]["annotations"]
    assert VOLUMES not in annotations
