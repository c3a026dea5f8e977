"""What the scenarios of telemetry send and count."""

from cluster.programs import statsd

_NAME = b"envoy.cluster.outbound|8080||server.jobs.svc.cluster.local;"


def test_statsd_counts_each_request_once() -> None:
    counter = _NAME + b".upstream_rq_completed:5|c"
    assert statsd.counters(counter) == [{"cluster": "outbound|8080||server.jobs.svc.cluster.local", "requests": 5}]
    for other in (_NAME + b".external.upstream_rq_completed:5|c", _NAME + b".upstream_rq_time:5|ms", b"envoy.server.uptime:5|g"):
        assert statsd.counters(other) == []
