"""The section [exeunt]: valid values, and the messages for all others."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from exeunt_airflow.settings import DRAIN_TIMEOUT, FORGIVEN, NAMES, InvalidSettings, Settings, read
from exeunt_airflow.version import VERSION
from harness import agent_options

ROOT = Path(__file__).resolve().parents[2]


IMAGES = [
    "agent",
    "library/agent:1",
    "registry.example:5000/a/agent@sha256:" + "0" * 64,
    "Registry.example/team_a/my-agent:v1.0-A@sha256:" + "a" * 64,
    "localhost/agent",
    "[::1]:5000/agent:1",
]
ENDPOINTS = (
    "sql=http://127.0.0.1:9091/quitquitquit",
    "sql=GET http://localhost/a?b=c",
    "sql=PUT http://[::1]:8200",
    "sql=http://127.255.0.9",
    "sql=http://[::1]?q=1",
)
LABELS = (("team", "data"), ("example.com/cost-center", "42"), ("empty", ""))
PROBES = (("liveness_probe", {"exec": {"command": ["/exeunt-agent", "--version"]}}),)
_TIMES = {"initialDelaySeconds": 0, "periodSeconds": 60, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
_HEADERS = [{"name": "Accept", "value": "*/*"}]
ACTIONS = [
    {"exec": {"command": ["/exeunt-agent", "--version"]}} | _TIMES,
    {"grpc": {"port": 9000, "service": "drain"}},
    {"tcpSocket": {"port": 15190, "host": "127.0.0.1"}},
    {"httpGet": {"port": 15190, "path": "/", "host": "127.0.0.1", "scheme": "HTTPS", "httpHeaders": _HEADERS}},
]


def test_an_empty_section_means_the_defaults() -> None:
    assert read({}) == (Settings(), [])


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("enabled", "False", False),
        ("enabled", " true ", True),
        ("add_callback", "true", True),
        ("fail_on_loss", "True", True),
        ("mode", "opt-in", "opt-in"),
        ("namespaces", "jobs, reports,", ("jobs", "reports")),
        ("namespaces", "", ()),
        *(("image", image, image) for image in IMAGES),
        ("image_pull_policy", "Never", "Never"),
        ("image_pull_policy", "", ""),
        ("image_pull_secrets", "mirror.example", ("mirror.example",)),
        ("proxy", "keep", "keep"),
        ("placement", "regular", "regular"),
        ("share_processes", "unless-root", "unless-root"),
        ("uid", "20001", 20001),
        ("uid", "1000680000", 1000680000),
        ("uid", "none", None),
        ("endless_helpers", "log-shipper, metrics", ("log-shipper", "metrics")),
        ("endless_helpers", "", ()),
        ("quit_endpoints", f" {ENDPOINTS[0]} , {ENDPOINTS[1]},", ENDPOINTS[:2]),
        *(("quit_endpoints", endpoint, (endpoint,)) for endpoint in ENDPOINTS),
        ("quit_endpoints", "", ()),
        ("quit_signals", "renewer = TERM,cache=SIGUSR1", ("renewer=TERM", "cache=SIGUSR1")),
        ("also_wait", "uploader, log-shipper", ("uploader", "log-shipper")),
        ("signal_route", "service-entry", "service-entry"),
        ("signal_port", "15999", 15999),
        ("module", "configMap", "configMap"),
        ("grace_period", "0", 0),
        ("grace_period", "300", 300),
        ("drain_timeout", "1m30s", "1m30s"),
        ("drain_timeout", "90", "90s"),
        ("drain_timeout", "1ms", "1ms"),
        ("drain_timeout", "24h", "24h"),
        ("drain_timeout", "", ""),
        ("seccomp", "none", "none"),
        ("cpu_request", "0.5", "0.5"),
        ("cpu_request", "none", None),
        ("cpu_limit", "200m", "200m"),
        ("cpu_limit", "none", None),
        ("memory_request", "8Mi", "8Mi"),
        ("memory_request", "none", None),
        ("memory_limit", "1Gi", "1Gi"),
        ("memory_limit", "none", None),
        ("labels", "team=data, example.com/cost-center = 42,empty=", LABELS),
        ("labels", "", ()),
        ("arguments", "--stall-timeout 30s --log 'info'", ("--stall-timeout", "30s", "--log", "info")),
        ("arguments", "", ()),
        ("probes", '{"livenessProbe": {"exec": {"command": ["/exeunt-agent", "--version"]}}}', PROBES),
        ("probes", "", ()),
        *(("probes", json.dumps({"startupProbe": probe}), (("startup_probe", probe),)) for probe in ACTIONS),
    ],
)
def test_a_valid_value(name: str, text: str, value: Any) -> None:
    settings, mistakes = read({name: text})
    assert (getattr(settings, name), mistakes) == (value, [])


WRONG = {
    "enabled": "maybe",
    "add_callback": "ExeuntCallback",
    "fail_on_loss": "warn",
    "mode": "sometimes",
    "namespaces": "jobs,Reports",
    "image": "registry.example/Team/agent:1",
    "image_pull_policy": "always",
    "image_pull_secrets": "Not_A_Secret",
    "proxy": "classic",
    "placement": "sidecar",
    "share_processes": "sometimes",
    "uid": "root",
    "endless_helpers": "log-shipper,Metrics",
    "quit_endpoints": "http://127.0.0.1:9091/quitquitquit",
    "quit_signals": "TERM",
    "also_wait": "uploader,Metrics",
    "signal_route": "loopback",
    "signal_port": "70000",
    "module": "oci",
    "drain_timeout": "5 minutes",
    "grace_period": "60s",
    "seccomp": "Localhost",
    "cpu_request": "a little",
    "cpu_limit": "0",
    "memory_request": "4MB",
    "memory_limit": "-1",
    "labels": "team",
    "arguments": "30s",
    "probes": "{",
}


def mistakes_of(texts: dict[str, str]) -> tuple[list[str], bool]:
    """All mistakes, and whether the hook can go on."""
    try:
        return read(texts)[1], True
    except InvalidSettings as invalid:
        return invalid.mistakes, False


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_names_the_setting_its_value_and_what_is_allowed(name: str) -> None:
    (mistake,), _ = mistakes_of({name: WRONG[name]})
    assert mistake.startswith(f"[exeunt] {name} is {WRONG[name]!r}: must be ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("uid", text) for text in ("0", "1337", "-1", "2147483648", "", "0x10")),
        *(("drain_timeout", text) for text in ("0", "0s", "24h1s", "90 s", "-1s", "1d", "0.0001s")),
        *(
            ("image", text)
            for text in (
                "",
                "an image",
                "Agent:1",
                "a/Agent",
                "agent:",
                "agent:a b",
                "agent@sha256:00",
                "a//b",
                "/a",
                "https://a.b/c",
            )
        ),
        *(
            ("quit_endpoints", text)
            for text in (
                "sql",
                "sql=9091",
                "sql=https://127.0.0.1/quit",
                "sql=DELETE http://127.0.0.1/quit",
                "sql=http://10.0.0.1/quit",
                "sql=http://127.0.0.256/quit",
                "sql=http://127.0.0.1.example.com/quit",
                "sql=http://user@127.0.0.1/quit",
                "sql=http://127.0.0.1:0/quit",
                "sql=http://127.0.0.1:70000/quit",
                "sql=http://127.0.0.1/a b",
                "Sql=http://127.0.0.1/quit",
                "istio-proxy=http://127.0.0.1/quit",
                "sql=http://127.0.0.1:15000/quitquitquit",
                "sql=http://localhost:15020/quitquitquit",
            )
        ),
        *(("quit_signals", text) for text in ("a=STOP", "a=15", "=TERM", "exeunt=TERM", "airflow-xcom-sidecar=INT")),
        *(("also_wait", text) for text in ("istio-proxy", "a=TERM")),
        # Kubernetes takes the first two, for less than a byte and for millions of processors.
        *(("memory_request", text) for text in ("400m", "0", "1e6", "16mi", "16 Mi", "16MiB", "1Ti")),
        *(("cpu_request", text) for text in ("16Mi", "0", "0m", "0.0001", "1.5m", "1k", "100u")),
        *(("cpu_limit", text) for text in ("0", "1Gi")),
        *(("memory_limit", text) for text in ("0", "4Mi", "12M", "16", "16m")),
        *(
            ("labels", text)
            for text in (
                "a",
                "=b",
                "a=b c",
                "a=" + "x" * 64,
                "a b=c",
                "-a=b",
                "a/b/c=d",
                "A/b=c",
                "a..b/c=d",
                "exeunt.dev/drain=off",
            )
        ),
        *(
            ("arguments", text)
            for text in (
                "--log 'info",
                "watch",
                "--container base",
                "--placement=native",
                "--log ssh",
                "--restart-policy Never",
                "--also-wait a",
            )
        ),
        *(("probes", text) for text in ("[]", '{"livenessProbe": 1}', '{"liveness_probe": {}}', '{"lifecycle": {}}')),
        # The API server refuses every pod with one of these.
        *(
            ("probes", '{"livenessProbe": {' + text + "}}")
            for text in (
                "",
                '"periodSeconds": 60',
                '"tcpSocket": {"port": 1}, "grpc": {"port": 1}',
                '"tcpSockets": {"port": 1}',
                '"tcpSocket": {"port": 1}, "period": 60',
                '"tcpSocket": {"port": 1}, "periodSeconds": 0',
                '"tcpSocket": {"port": 1}, "periodSeconds": true',
                '"tcpSocket": {"port": 1}, "successThreshold": 2',
                '"tcpSocket": {"port": 0}',
                '"tcpSocket": {"port": "http"}',
                '"tcpSocket": {}',
                '"exec": {"command": []}',
                '"exec": {"command": "/exeunt-agent --version"}',
                '"exec": {"command": ["/exeunt-agent"], "shell": true}',
                '"httpGet": {"port": 1, "scheme": "http"}',
                '"httpGet": {"port": 1, "httpHeaders": [{"name": "a"}]}',
            )
        ),
    ],
)
def test_a_value_that_cannot_work_is_a_mistake(name: str, text: str) -> None:
    (mistake,), _ = mistakes_of({name: text})
    assert mistake.startswith(f"[exeunt] {name} is {text!r}: must be ")


@pytest.mark.parametrize(
    ("texts", "mistake"),
    [
        ({"memory_limit": "15Mi"}, "memory_request is '16Mi': must be at most memory_limit, which is '15Mi'"),
        ({"memory_request": "17M"}, "memory_request is '17M': must be at most memory_limit, which is '16Mi'"),
        ({"cpu_request": "0.2", "cpu_limit": "199m"}, "cpu_request is '0.2': must be at most cpu_limit, which is '199m'"),
        ({"memory_request": "16777216", "memory_limit": "16Mi"}, None),
        ({"cpu_request": "0.2", "cpu_limit": "200m"}, None),
        ({"memory_limit": "12Mi", "memory_request": "none"}, None),
        ({"memory_request": "1Gi", "memory_limit": "none"}, None),
    ],
)
def test_a_request_above_its_limit_is_a_mistake(texts: dict[str, str], mistake: str | None) -> None:
    assert mistakes_of(texts) == (([], True) if mistake is None else ([f"[exeunt] {mistake}"], False))


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_leaves_the_hook_on_only_where_the_default_does_no_harm(name: str) -> None:
    texts = {"uid": "20001", name: WRONG[name]}
    assert mistakes_of(texts)[1] is (name in FORGIVEN)
    if name in FORGIVEN:
        assert read(texts)[0] == Settings(uid=20001)


@pytest.mark.parametrize(
    ("name", "mistake", "goes_on"),
    [
        ("plug", f"is not known: must be one of {', '.join(NAMES)}", True),
        ("placment", "is not known: did you mean placement?", True),
        # It would be meant to spare pods.
        ("namespace", "is not known: did you mean namespaces?", False),
        ("image_cmd", "has no effect, because Airflow does so for its own secrets only: give image itself", False),
        ("labels_secret", "has no effect, because Airflow does so for its own secrets only: give labels itself", True),
    ],
)
def test_an_unknown_name_is_told_with_the_one_that_was_meant(name: str, mistake: str, goes_on: bool) -> None:
    assert mistakes_of({name: "x"}) == ([f"[exeunt] {name} {mistake}"], goes_on)


def test_every_setting_is_checked_and_all_mistakes_are_reported_at_once() -> None:
    assert set(WRONG) == set(NAMES)
    mistakes, _ = mistakes_of(WRONG | {"imagee": "x"})
    assert len(mistakes) == len(WRONG) + 1


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), (".5s", 0.5)])
def test_a_duration_in_seconds(text: str, seconds: float) -> None:
    assert read({"drain_timeout": text})[0].drain_seconds == seconds


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
        expected = {(): "", None: "none"}.get(default, str(default)).replace(VERSION, "VERSION")
        assert documented.strip(" `") == expected, name
