"""The bills of materials: they obey the schema, and agree with Cargo.lock and with what is linked."""

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from harness.images import Made
from harness.paths import ROOT, agent, wasm

_NAMES = ("exeunt", "exeunt-agent")


@pytest.fixture(params=_NAMES)
def bill(request: pytest.FixtureRequest, made: Made) -> dict[str, Any]:
    """The bill of each binary."""
    return _bill(made, request.param)


def test_a_bill_obeys_the_schema_of_cyclonedx(made: Made) -> None:
    bills = [*made.folder.glob("*.cdx.json")]
    assert len(bills) == sum(len(image["platforms"]) for image in made.record["images"].values())
    for path in bills:
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text()) is None


def test_the_schema_is_really_asked() -> None:
    broken = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": "one"})
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_every_crate_is_in_cargo_lock_with_that_checksum(bill: dict[str, Any]) -> None:
    locked = {(crate["name"], crate["version"]): crate for crate in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    crates = [part for part in bill["components"] if part["purl"].startswith("pkg:cargo/")]
    assert crates
    for crate in crates:
        checksum = locked[crate["name"], crate["version"]].get("checksum")
        assert [entry["content"] for entry in crate.get("hashes", [])] == ([checksum] if checksum else [])


def test_every_part_has_its_terms(bill: dict[str, Any]) -> None:
    assert [part["name"] for part in [bill["metadata"]["component"], *bill["components"]] if not part.get("licenses")] == []


def test_a_bill_names_what_the_linker_was_given_and_nothing_that_only_tests_use(made: Made) -> None:
    declared = {"exeunt": ("Cargo.toml", "exeunt-drain"), "exeunt-agent": ("agent/Cargo.toml", "exeunt-pod")}
    for name, (manifest, own) in declared.items():
        names = {part["name"] for part in _bill(made, name)["components"]}
        document = tomllib.loads((ROOT / manifest).read_text())
        wanted = document["dependencies"]
        assert names >= {crate for crate in wanted if crate not in ("drain", "pod")}
        assert own in names
        only_tests = document.get("dev-dependencies", {}).keys() - wanted.keys()
        assert not names & ({"proptest", "wasm-bindgen-test"} | only_tests)
        # A derive macro runs in the compiler.
        assert not names & {"serde_derive", "syn"}


def test_a_bill_names_rusts_library_and_the_agents_the_c_library(made: Made) -> None:
    for name in _NAMES:
        assert "rust-std" in {part["name"] for part in _bill(made, name)["components"]}
    assert {part["name"] for part in _bill(made, "exeunt-agent")["components"]} & {"musl", "glibc"}


def test_the_filters_bill_names_the_wasm_opt_that_made_it_small(made: Made) -> None:
    built = json.loads(Path(f"{wasm()}.json").read_text())
    properties = {entry["name"]: entry["value"] for entry in _bill(made, "exeunt")["metadata"]["component"]["properties"]}
    assert properties.get("exeunt:wasm-opt") == built.get("wasm-opt")


def test_a_bill_is_of_that_very_file(made: Made) -> None:
    for name, file in zip(_NAMES, (wasm(), agent()), strict=True):
        sums = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout
        assert _bill(made, name)["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": sums.split()[0]}]


def _bill(made: Made, name: str) -> dict[str, Any]:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    suffix = f"-linux-{machine}" if name == "exeunt-agent" else ""
    bill: dict[str, Any] = json.loads((made.folder / f"{name}-{made.record['version']}{suffix}.cdx.json").read_text())
    return bill
