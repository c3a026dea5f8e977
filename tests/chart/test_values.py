"""The values that the schema refuses, and the messages."""

import pytest

from chart.programs import template

REFUSED = [
    # What is set, the field that is named, what is said to be allowed.
    ("colour=red", "additional properties 'colour' not allowed", ""),
    ("plugin.colour=red", "/plugin", "additional properties 'colour' not allowed"),
    ("plugin.config.drainTimout=5m", "/plugin/config", "additional properties 'drainTimout' not allowed"),
    ("plugin.config.signal.prot=1", "/plugin/config/signal", "additional properties 'prot' not allowed"),
    ("plugin.config.drainTimeout=25", "/plugin/config/drainTimeout", "got number, want string"),
    ("plugin.config.drainTimeout=25sec", "/plugin/config/drainTimeout", "'25sec' does not match pattern"),
    ("plugin.config.drainTimeout=25h", "/plugin/config/drainTimeout", "'25h' does not match pattern"),
    ("plugin.config.stallTimeout=0s", "/plugin/config/stallTimeout", "'0s' does not match pattern"),
    ("plugin.config.settle=11s", "/plugin/config/settle", "'11s' does not match pattern"),
    ("plugin.config.maxClusters=-1", "/plugin/config/maxClusters", "minimum: got -1, want 0"),
    ("plugin.config.maxClusters=many", "/plugin/config/maxClusters", "got string, want integer"),
    ("plugin.config.quit=yes", "/plugin/config/quit", "must be one of 'auto', 'never'"),
    ("plugin.config.adminCluster=", "/plugin/config/adminCluster", "minLength: got 0, want 1"),
    ("plugin.config.signal.port=70000", "/plugin/config/signal/port", "maximum: got 70,000, want 65,535"),
    ("plugin.config.signal.addresses={localhost}", "/plugin/config/signal/addresses/0", "'localhost' is not valid ipv4"),
    ("plugin.config.signal.addresses=null", "/plugin/config/signal", "missing property 'addresses'"),
    ("plugin.enabled=yes", "/plugin/enabled", "got string, want boolean"),
    ("plugin.kind=EnvoyFilter", "/plugin/kind", "must be one of 'WasmPlugin', 'TrafficExtension'"),
    ("plugin.image.digest=sha256:abc", "/plugin/image/digest", "'sha256:abc' does not match pattern '^(sha256:[a-f0-9]{64})?$'"),
    ("plugin.image.repository=oci://ghcr.io/x/y", "/plugin/image/repository", "'oci://ghcr.io/x/y' does not match pattern"),
    ("plugin.image.repository=ghcr.io/x/y:v1", "/plugin/image/repository", "does not match pattern"),
    ("plugin.image.tag=1", "/plugin/image/tag", "got number, want string"),
    ("plugin.image.pullPolicy=Never", "/plugin/image/pullPolicy", "must be one of 'IfNotPresent', 'Always'"),
    ("plugin.image.pullSecret=My_Secret", "/plugin/image/pullSecret", "'My_Secret' does not match pattern"),
    ("agent.image.pullPolicy=Sometimes", "/agent/image/pullPolicy", "must be one of 'IfNotPresent', 'Always', 'Never', ''"),
    ("agent.uid=1337", "/agent/uid", "'not' failed"),
    ("agent.uid=0", "/agent/uid", "minimum: got 0, want 1"),
    ("agent.uid=root", "/agent/uid", "value must be 'none'"),
    ("agent.uid=null", "/agent", "missing property 'uid'"),
    ("agent.arguments=--x", "/agent/arguments", "got string, want array"),
    ("agent.probes.readyProbe.periodSeconds=1", "/agent/probes", "additional properties 'readyProbe' not allowed"),
    ("agent.probes.startupProbe.exe.command=x", "/agent/probes/startupProbe", "additional properties 'exe' not allowed"),
    ("agent.probes.startupProbe.periodSeconds=1", "/agent/probes/startupProbe", "'oneOf' failed, none matched"),
    ("agent.resources.request.cpu=1", "/agent/resources", "additional properties 'request' not allowed"),
    ("agent.resources.limits.memory=16MB", "/agent/resources/limits/memory", "'16MB' does not match pattern"),
    ("agent.resources.requests.memory=16m", "/agent/resources/requests/memory", "'16m' does not match pattern"),
    ("agent.resources.limits.cpu=-1", "/agent/resources/limits/cpu", "minimum: got -1, want 0"),
    ("agent.resources.requests.gpu=1", "/agent/resources/requests", "additional properties 'gpu' not allowed"),
    ("route=sidecar", "/route", "must be one of 'annotation', 'proxyConfig', 'serviceEntry', 'none'"),
    ("inject=webhook", "/inject", "must be one of 'none', 'istio', 'policy', 'kyverno'"),
    ("pods.select=all", "/pods/select", "must be one of 'jobs', 'labelled'"),
    ("pods.namespaces={jobs}", "/pods/namespaces", "must be one of 'labelled', 'injected'"),
    ("pods.proxy=classic", "/pods/proxy", "must be one of 'native', 'keep'"),
    ("pods.placement=first", "/pods/placement", "must be one of 'native', 'regular'"),
    ("pods.shareProcesses=sometimes", "/pods/shareProcesses", "must be one of 'always', 'unless-root', 'never'"),
    ("pods.gracePeriod=60s", "/pods/gracePeriod", "got string, want integer"),
    ("pods.gracePeriod=90000", "/pods/gracePeriod", "maximum: got 90,000, want 86,400"),
    ("pods.helpers={Log_Shipper}", "/pods/helpers/0", "'Log_Shipper' does not match pattern"),
    ("pods.labels.team=a b", "/pods/labels/team", "'a b' does not match pattern"),
    ("pods.labels.exeunt\\.dev/drain=on", "/pods/labels/exeunt.dev~1drain", "false schema"),
    ("pods.labels.sidecar\\.istio\\.io/inject=no", "/pods/labels/sidecar.istio.io~1inject", "false schema"),
    ("pods.labels.a\\.\\.b/team=x", "/pods/labels", "additional properties 'a..b/team' not allowed"),
    # A sign at which YAML ends the line. JSON does not escape it, and what is behind it would be YAML.
    ("agent.arguments={a\u0085b}", "/agent/arguments/0", "does not match pattern"),
    ("agent.arguments={}", "/agent/arguments", "minLength: got 0, want 1"),
    ("agent.probes.startupProbe.exec.command={a\u0085b}", "/agent/probes/startupProbe/exec/command/0", "does not match pattern"),
    ("plugin.source=registry", "/plugin/source", "must be one of 'oci', 'configMap', 'imageVolume'"),
    ("plugin.configMap.create=yes", "/plugin/configMap/create", "got string, want boolean"),
    ("namespaces=jobs", "/namespaces", "got string, want array"),
    ("namespaces={Jobs}", "/namespaces/0", "'Jobs' does not match pattern"),
    ("namespaces={a,a}", "/namespaces", "items at 0 and 1 are equal"),
    ("controller.enabled=yes", "/controller/enabled", "got string, want boolean"),
    ("controller.mode=daemonSet", "/controller/mode", "must be one of 'deployment', 'cronJob'"),
    ("controller.replicas=0", "/controller/replicas", "minimum: got 0, want 1"),
    ("controller.schedule=hourly", "/controller/schedule", "'hourly' does not match pattern"),
    ("controller.namespaces=jobs", "/controller/namespaces", "got string, want array"),
    ("controller.reap.dryRun=no", "/controller/reap/dryRun", "got string, want boolean"),
    ("controller.reap.stuckFor=29", "/controller/reap/stuckFor", "minimum: got 29, want 30"),
    ("controller.reap.rate=10", "/controller/reap/rate", "got number, want string"),
    ("controller.reap.rate=10/d", "/controller/reap/rate", "'10/d' does not match pattern"),
    ("controller.reap.atOnce=51", "/controller/reap/atOnce", "maximum: got 51, want 50"),
    ("controller.reap.force=true", "/controller/reap", "additional properties 'force' not allowed"),
    ("controller.dashboard.labels.a=b c", "/controller/dashboard/labels/a", "'b c' does not match pattern"),
    ("guard.enabled=1", "/guard/enabled", "got number, want boolean"),
]


@pytest.mark.parametrize(("wrong", "field", "allowed"), REFUSED, ids=[wrong for wrong, _, _ in REFUSED])
def test_a_mistake_is_refused_by_name(wrong: str, field: str, allowed: str) -> None:
    said = template("--set", wrong)
    assert not said.ok
    assert said.out == ""
    assert any(field in line and allowed in line for line in said.err.splitlines()), said.err


def test_all_mistakes_are_named_at_once() -> None:
    said = template("--set", "route=sidecar", "--set", "plugin.config.settle=1h", "--set", "plugin.kind=None")
    assert all(field in said.err for field in ("/route", "/plugin/config/settle", "/plugin/kind"))


def test_a_service_entry_needs_its_address_among_the_signal_s() -> None:
    said = template("--set", "route=serviceEntry", "--set", "plugin.config.signal.addresses={127.0.0.1}")
    assert not said.ok
    assert (
        'plugin.config.signal.addresses: ["127.0.0.1"] is not allowed with route serviceEntry: must have "192.0.2.190"'
        in said.err
    )


@pytest.mark.parametrize(
    ("requests", "limits", "taken"),
    [
        ("cpu=10m", "cpu=10m", True),
        ("cpu=11m", "cpu=0.01", False),
        ("cpu=1", "cpu=999m", False),
        ("memory=16Mi", "memory=16M", False),
        ("memory=16M", "memory=16Mi", True),
        ("memory=1G", "memory=1e9", True),
        ("memory=1E", "memory=1e3", False),
        ("ephemeral-storage=2Ki", "ephemeral-storage=1Ki", False),
        # Without a limit, and without a request.
        ("cpu=100", "memory=16Mi", True),
        ("cpu=null", "cpu=1m", True),
    ],
)
def test_a_request_above_its_limit_is_refused(requests: str, limits: str, taken: bool) -> None:
    """The API server takes no pod with such a container."""
    said = template("--set", f"agent.resources.requests.{requests}", "--set", f"agent.resources.limits.{limits}")
    assert said.ok is taken, said.err
    (name, request), limit = requests.split("="), limits.partition("=")[2]
    words = f"agent.resources.requests.{name}: {request} is not allowed: must be at most the limit, {limit}"
    assert (words in said.err) is not taken


@pytest.mark.parametrize(("limit", "taken"), [("11Mi", False), ("12", False), ("12Mi", True), ("12582912", True)])
def test_a_limit_of_memory_with_which_no_container_starts_is_refused(limit: str, taken: bool) -> None:
    said = template("--set", f"agent.resources.limits.memory={limit},agent.resources.requests=null")
    assert said.ok is taken, said.err
    assert ("agent.resources.limits.memory: " in said.err) is not taken


@pytest.mark.parametrize("inject", ["none", "istio", "policy", "kyverno"])
@pytest.mark.parametrize("option", ["agent.arguments", "agent.probes", "agent.resources", "pods.labels"])
def test_what_may_be_empty_may_be_null(option: str, inject: str) -> None:
    said = template("--set", f"inject={inject},{option}=null", "--kube-version", "1.36.0")
    assert said.ok, said.err


@pytest.mark.parametrize(
    "right",
    [
        "plugin.config.drainTimeout=1m30s",
        "plugin.image.tag=v1.2.3-rc.1",
        "global.imageRegistry=x",
        "agent.resources.requests.cpu=1",
        "agent.resources.limits.ephemeral-storage=1e6",
        "agent.resources.limits=null",
        "agent.resources=null",
        "agent.probes=null",
        "pods.labels.example\\.com/team=",
    ],
)
def test_what_is_right_is_taken(right: str) -> None:
    said = template("--set", right)
    assert said.ok, said.err
