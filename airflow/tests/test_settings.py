"""The section [exeunt]: valid values, and the messages for all others."""

import re
from pathlib import Path
from typing import Any

import pytest

from exeunt_airflow.settings import DRAIN_TIMEOUT, NAMES, InvalidSettings, Settings, read
from exeunt_airflow.version import VERSION
from harness import agent_options

ROOT = Path(__file__).resolve().parents[2]


def test_an_empty_section_means_the_defaults() -> None:
    assert read({}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("enabled", "False", False),
        ("enabled", " true ", True),
        ("mode", "opt-in", "opt-in"),
        ("namespaces", "jobs, reports,", ("jobs", "reports")),
        ("namespaces", "", ()),
        ("image", "registry.example:5000/a/agent@sha256:00", "registry.example:5000/a/agent@sha256:00"),
        ("image_pull_policy", "Never", "Never"),
        ("image_pull_policy", "", ""),
        ("image_pull_secrets", "mirror.example", ("mirror.example",)),
        ("proxy", "classic", "classic"),
        ("placement", "regular", "regular"),
        ("share_processes", "unless-root", "unless-root"),
        ("uid", "20001", 20001),
        ("uid", "1000680000", 1000680000),
        ("uid", "none", None),
        ("endless_helpers", "log-shipper, metrics", ("log-shipper", "metrics")),
        ("endless_helpers", "", ()),
        ("signal_route", "service-entry", "service-entry"),
        ("signal_port", "15999", 15999),
        ("drain_timeout", "1m30s", "1m30s"),
        ("drain_timeout", "90", "90s"),
        ("drain_timeout", "1ms", "1ms"),
        ("drain_timeout", "24h", "24h"),
        ("drain_timeout", "", ""),
        ("cpu_request", "0.5", "0.5"),
        ("memory_request", "8Mi", "8Mi"),
        ("memory_limit", "1Gi", "1Gi"),
    ],
)
def test_a_valid_value(name: str, text: str, value: Any) -> None:
    assert getattr(read({name: text}), name) == value


WRONG = {
    "enabled": "maybe",
    "mode": "sometimes",
    "namespaces": "jobs,Reports",
    "image": "an image",
    "image_pull_policy": "always",
    "image_pull_secrets": "Not_A_Secret",
    "proxy": "sidecar",
    "placement": "sidecar",
    "share_processes": "sometimes",
    "uid": "root",
    "endless_helpers": "log-shipper,Metrics",
    "signal_route": "loopback",
    "signal_port": "70000",
    "drain_timeout": "5 minutes",
    "cpu_request": "a little",
    "memory_request": "4MB",
    "memory_limit": "-1",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_names_the_setting_its_value_and_what_is_allowed(name: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read({name: WRONG[name]})
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(f"[exeunt] {name} is {WRONG[name]!r}: must be ")


@pytest.mark.parametrize("text", ["0", "1337", "-1", "2147483648", "", "0x10"])
def test_a_user_that_the_agent_cannot_have_is_a_mistake(text: str) -> None:
    with pytest.raises(InvalidSettings, match="must be none or a user id, 1 to 2147483647, but not 1337"):
        read({"uid": text})


@pytest.mark.parametrize("text", ["0", "0s", "24h1s", "90 s", "-1s", "1d", "0.0001s"])
def test_a_drain_timeout_that_the_agent_would_not_take_is_a_mistake(text: str) -> None:
    with pytest.raises(InvalidSettings, match="must be a duration such as 90s or 5m, from 1ms to 24h"):
        read({"drain_timeout": text})


def test_every_setting_is_checked_and_all_mistakes_are_reported_at_once() -> None:
    assert set(WRONG) == set(NAMES)
    with pytest.raises(InvalidSettings) as caught:
        read(WRONG | {"imagee": "x"})
    assert len(caught.value.mistakes) == len(WRONG) + 1
    assert caught.value.mistakes[0].startswith("[exeunt] imagee is not known: must be one of enabled, ")


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), (".5s", 0.5)])
def test_a_duration_in_seconds(text: str, seconds: float) -> None:
    assert read({"drain_timeout": text}).drain_seconds == seconds


def test_the_defaults_are_the_agents_own() -> None:
    options = agent_options.helped()
    assert options["--drain-timeout DURATION"].default == DRAIN_TIMEOUT
    assert Settings().drain_seconds == 300
    assert options["--signal-port PORT"].default == str(Settings().signal_port)


def test_the_version_of_the_package_is_that_of_the_agent() -> None:
    match = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert match is not None
    assert match[1] == VERSION


def test_the_guide_lists_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \|([^|]*)\|", (ROOT / "docs/airflow.md").read_text(), re.MULTILINE))
    assert tuple(rows) == NAMES
    for name, documented in rows.items():
        default = getattr(Settings(), name)
        expected = ("" if default == () else str(default)).replace(VERSION, "VERSION")
        assert documented.strip(" `") == expected, name
