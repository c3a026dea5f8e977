"""A plugin on every listener by mistake: the filter must not touch other traffic."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.client import Answer, ask
from harness.scene import COMPLETION_HEADER, SIGNAL_HEADERS, MakeScene, Scene, completion

# Headers that Envoy itself sets anew for each request.
EPHEMERAL = re.compile(rb"(?im)^(x-request-id|x-envoy-expected-rq-timeout-ms|traceparent|x-b3-[a-z]+): .*$")
BACKEND = {"host": "backend.example"}
BODY = bytes(range(256)) * 2000
COMPLETION = completion()
SIGNAL = SIGNAL_HEADERS | {COMPLETION_HEADER: COMPLETION}


def exchanges(scene: Scene) -> list[tuple[int, dict[str, str], bytes]]:
    """Sends requests of several kinds. The upstream echoes each, so the answers show both directions."""
    http, health = scene.sidecar.places.http, scene.sidecar.places.health
    answers: list[Answer] = [
        ask(http, "GET", "/", BACKEND),
        ask(http, "POST", "/upload?x=1", BACKEND | {"content-type": "text/plain"}, BODY),
        ask(http, "PUT", "/chunked", BACKEND | {"x-exeunt": "1"}, b""),
        ask(http, "GET", "/v1/status", BACKEND),
        ask(http, "POST", "/v1/complete", BACKEND | SIGNAL, COMPLETION.encode()),
        ask(health, "GET", "/elsewhere"),
    ]
    varying = ("date", "x-envoy-upstream-service-time")
    return [
        (answer.status, {n: v for n, v in answer.headers.items() if n not in varying}, EPHEMERAL.sub(rb"\1", answer.body))
        for answer in answers
    ]


def test_other_traffic_is_untouched_byte_for_byte(make_scene: MakeScene, version: str) -> None:
    seen = []
    for everywhere in (False, True):
        scene = make_scene(version=version)
        if everywhere:
            scene.sidecar.match_everywhere()
        else:
            scene.sidecar.without_plugin()
        scene.upstream(mode="http")
        upstream = scene.upstream()
        envoy = scene.envoy()
        task = scene.task(size=2_000_000)
        task.begin()
        seen.append((exchanges(scene), upstream.deliveries()[0].crc))
        assert envoy.running
    assert seen[0] == seen[1]
    assert all("x-exeunt" not in headers for _, headers, _ in seen[1][0])


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-real-ip": "127.0.0.1", "forwarded": "for=127.0.0.1"},
        {"x-envoy-external-address": "127.0.0.1", "x-envoy-original-dst-host": "127.0.0.1:15190"},
    ],
)
def test_no_header_makes_another_listener_the_signal_listener(make_scene: MakeScene, headers: dict[str, str]) -> None:
    scene = make_scene()
    scene.sidecar.match_everywhere()
    upstream = scene.upstream(mode="http")
    envoy = scene.envoy()
    answer = ask(scene.sidecar.places.http, "POST", "/v1/complete", BACKEND | SIGNAL | headers, COMPLETION.encode())
    assert answer.status == 200
    assert "x-exeunt" not in answer.headers
    assert upstream.report("request")["path"] == "/v1/complete"
    assert scene.status()["state"] == "serving"
    assert envoy.running


def test_requests_in_parallel_pass_a_plugin_that_is_everywhere(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.match_everywhere()
    scene.upstream(mode="http")
    scene.envoy()

    def upload(number: int) -> bool:
        answer = ask(scene.sidecar.places.http, "POST", f"/{number}", BACKEND, BODY)
        return answer.status == 200 and answer.body.endswith(BODY)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(upload, range(64)))
