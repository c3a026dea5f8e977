"""A software bill of materials for each binary, as CycloneDX 1.6: its parts with their versions and licences."""

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from .binaries import Binary
from .crates import Crate, linked_crates
from .project import Project

# The target of a binary without a record of its build.
_TARGETS = {
    "wasm32": "wasm32-unknown-unknown",
    "linux/amd64": "x86_64-unknown-linux-musl",
    "linux/arm64": "aarch64-unknown-linux-musl",
}
# The packages of the binaries that are not called as their package is.
_PACKAGES = {"kubectl-exeunt": "exeunt-cli"}
# The licences of what is linked in and is no crate: Rust's standard library, and the C library of a program.
_TERMS = {"rust-std": "MIT OR Apache-2.0", "musl": "MIT", "glibc": "LGPL-2.1-or-later"}
_HOMES = {
    "rust-std": "https://github.com/rust-lang/rust",
    "musl": "https://musl.libc.org",
    "glibc": "https://sourceware.org/glibc/",
}


def bill_of(project: Project, name: str, binary: Binary) -> bytes:
    """The bill of materials of a binary, always the same bytes."""
    crates = linked_crates(_PACKAGES.get(name, name), binary.built.get("target", _TARGETS[binary.platform]))
    top, *others = [_component(crate) for crate in crates.values()]
    digest = hashlib.sha256(binary.data).hexdigest()
    top.type = ComponentType.APPLICATION
    top.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest))
    top.properties.add(Property(name="exeunt:platform", value=binary.platform))
    if "wasm-opt" in binary.built:
        top.properties.add(Property(name="exeunt:wasm-opt", value=str(binary.built["wasm-opt"])))
    libraries = [_library(key, str(binary.built[key])) for key in ("rust-std", "musl", "glibc") if binary.built.get(key)]

    bom = Bom()
    # The format wants a random number; this one depends on the contents only.
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{project.source}#{name}-{binary.platform}-{digest}")
    bom.metadata.timestamp = datetime.fromtimestamp(project.date, UTC)
    bom.metadata.component = top
    bom.components.update(others, libraries)
    refs = {str(component.purl): component.bom_ref for component in (top, *others)}
    for purl, crate in crates.items():
        bom.dependencies.add(Dependency(refs[purl], [Dependency(refs[used]) for used in crate.uses]))
    bom.register_dependency(top, libraries)
    return JsonV1Dot6(bom).output_as_string(indent=1).encode() + b"\n"


def _component(crate: Crate) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        name=crate.name,
        version=crate.version,
        purl=PackageURL.from_string(crate.purl),
        bom_ref=crate.purl,
        licenses=_licenses(crate.license),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=crate.sha256)] if crate.sha256 else [],
        external_references=_home(crate.repository),
    )


def _library(name: str, version: str) -> Component:
    purl = PackageURL("generic", None, name, version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=purl,
        bom_ref=str(purl),
        licenses=_licenses(_TERMS[name]),
        external_references=_home(_HOMES[name]),
    )


def _licenses(terms: str) -> list[Any]:
    return [LicenseFactory().make_from_string(terms)] if terms else []


def _home(url: str) -> list[ExternalReference]:
    return [ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(url))] if url else []
