"""Fixtures of the documents: a reader with a registry and a cluster of their own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.cluster import Cluster
from documents.reader import Reader
from documents.server import serving
from harness.registry import PROGRAM, Authority, Registry


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reader, Cluster]]:
    """A reader who has checked out the project, and the cluster that they use."""
    for program in (PROGRAM, "skopeo", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"the commands of the documents: {program} is missing: as root, apt-get install {program}")
    folder: Path = tmp_path_factory.mktemp("documents")
    authority = Authority.make(folder)
    (folder / "registry").mkdir()
    with Registry(folder / "registry", authority=authority) as registry, serving(folder) as (cluster, kubeconfig):
        reader = Reader(folder, registry, authority, kubeconfig)
        reader.push_a_release()
        yield reader, cluster
