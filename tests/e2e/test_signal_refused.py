"""Wrong and unusual requests to the signal listener. None of them changes the filter's state or breaks Envoy."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import http2, messages
from harness.client import raw
from harness.envoy import Envoy
from harness.release import VERSIONS
from harness.scene import COMPLETION_HEADER, SIGNAL_HEADERS, MakeScene, Scene, completion


@dataclass(frozen=True)
class Wrong:
    """A request that is refused: the status of the answer, and the words that it must contain."""

    status: int
    words: list[str]
    method: str = "POST"
    path: str = "/v1/complete"
    headers: dict[str, str] = field(default_factory=lambda: SIGNAL_HEADERS)
    text: str = ""


# Each is refused both with the completion in a header and with the completion in the body.
WRONG = {
    "without the header": Wrong(400, ["x-exeunt"], headers={}, text=completion()),
    "with another value in the header": Wrong(400, ["x-exeunt"], headers={"x-exeunt": "yes"}, text=completion()),
    "through a proxy by via": Wrong(403, ["via"], headers=SIGNAL_HEADERS | {"via": "1.1 gate"}, text=completion()),
    "through a proxy by forwarded": Wrong(
        403, ["forwarded"], headers=SIGNAL_HEADERS | {"forwarded": "for=10.5.0.9"}, text=completion()
    ),
    "through a proxy by the address": Wrong(
        403, ["x-forwarded-for"], headers=SIGNAL_HEADERS | {"x-forwarded-for": "10.5.0.9"}, text=completion()
    ),
    "through another Envoy": Wrong(
        403, ["x-envoy-attempt-count"], headers=SIGNAL_HEADERS | {"x-envoy-attempt-count": "1"}, text=completion()
    ),
    "as GET": Wrong(405, [], method="GET"),
    "as PUT": Wrong(405, [], method="PUT", text=completion()),
    "as POST to the status": Wrong(405, [], path="/v1/status", text=completion()),
    "to an unknown path": Wrong(404, [], path="/v2/complete", text=completion()),
    "to the root": Wrong(404, [], method="GET", path="/"),
    "without a completion": Wrong(400, [messages.EMPTY]),
    "with 5 KiB": Wrong(413, [messages.BODY_LIMIT], text=completion(container="b" * 5 * 1024)),
    "with broken JSON": Wrong(400, [messages.NO_JSON], text='{"container": "base", '),
    "with JSON that is no object": Wrong(400, [messages.NO_OBJECT], text="[]"),
    "with unknown fields": Wrong(400, ["colour", "shape"], text=completion(colour="red", shape="round")),
    "with a wrong type": Wrong(400, ["exitCode", messages.EXIT_CODE_RANGE], text=completion(exitCode="zero")),
    "with an exit code out of range": Wrong(400, ["exitCode", "256"], text=completion(exitCode=256)),
    "with an unknown action": Wrong(400, ["action", "quit", "drain"], text=completion(action="explode")),
    "with an exit code and a signal": Wrong(400, ["signal"], text=completion(signal=9)),
    "with incomplete facts": Wrong(400, ["unsent.bytes"], text=completion(unsent={"connections": 1})),
    "with three mistakes at once": Wrong(
        400, ["container", "exitCode", "action"], text=json.dumps({"container": 1, "exitCode": -1, "action": 2})
    ),
}


@pytest.fixture(scope="module", params=VERSIONS)
def unharmed(request: pytest.FixtureRequest) -> Iterator[tuple[Scene, Envoy]]:
    """One Envoy for all refused requests of this module: none of them may change it."""
    folder = Path(tempfile.mkdtemp(prefix="exeunt-e2e-"))
    with Scene(folder, version=request.param) as scene:
        yield scene, scene.envoy()
    shutil.rmtree(folder, ignore_errors=True)


def check_serving(scene: Scene, envoy: Envoy) -> None:
    assert scene.status()["state"] == "serving"
    assert envoy.running


@pytest.mark.parametrize("carrier", ["header", "body"])
@pytest.mark.parametrize("wrong", [pytest.param(wrong, id=name.replace(" ", "_")) for name, wrong in WRONG.items()])
def test_a_signal_is_refused_and_changes_nothing(unharmed: tuple[Scene, Envoy], wrong: Wrong, carrier: str) -> None:
    scene, envoy = unharmed
    refused = envoy.stats("exeunt_signals_refused")
    header = {COMPLETION_HEADER: wrong.text} if carrier == "header" and wrong.text else {}
    body = wrong.text.encode() if carrier == "body" and wrong.text else None
    answer = scene.ask(wrong.method, wrong.path, wrong.headers | header, body)
    assert answer.status == wrong.status, answer
    assert answer.headers["x-exeunt"]
    for word in wrong.words:
        assert word in answer.body.decode()
    if wrong.status == 405:
        assert answer.headers["allow"] == ("GET" if wrong.path == "/v1/status" else "POST")
    check_serving(scene, envoy)
    assert sum(envoy.stats("exeunt_signals_refused").values()) == sum(refused.values()) + 1


def test_http_2_with_prior_knowledge_is_answered(unharmed: tuple[Scene, Envoy]) -> None:
    scene, envoy = unharmed
    signal = scene.sidecar.places.signal
    assert json.loads(http2.ask(signal, "GET", "/v1/status", {}))["state"] == "serving"
    assert b"x-exeunt" in http2.ask(signal, "POST", "/v1/complete", {}, completion().encode())
    assert b"colour" in http2.ask(signal, "POST", "/v1/complete", SIGNAL_HEADERS, completion(colour="red").encode())
    check_serving(scene, envoy)


def test_an_absolute_form_request_for_the_filter_is_answered(unharmed: tuple[Scene, Envoy]) -> None:
    scene, envoy = unharmed
    host, port = scene.sidecar.places.signal
    answer = raw((host, port), f"GET http://{host}:{port}/v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"serving"' in answer
    check_serving(scene, envoy)


_COMPLETE = b"POST /v1/complete HTTP/1.1\r\nhost: x\r\n"
_NO_BODY = b"content-length: 0\r\n"
ODD = {
    "invalid UTF-8 in the header": _COMPLETE + b"x-exeunt: \xff\xfe\r\n" + _NO_BODY,
    "invalid UTF-8 in the completion": _COMPLETE + b"x-exeunt: 1\r\nx-exeunt-completion: \xff{\r\n" + _NO_BODY,
    "invalid UTF-8 in the path": b"GET /v1/\xff HTTP/1.1\r\nhost: x\r\n",
    "the header twice": _COMPLETE + b"x-exeunt: 1\r\nx-exeunt: 1\r\n" + _NO_BODY,
    "a completion nested a thousand times": _COMPLETE + b"x-exeunt: 1\r\nx-exeunt-completion: %s\r\n" % (b"[" * 1000) + _NO_BODY,
    "a length beyond every integer": _COMPLETE + b"x-exeunt: 1\r\ncontent-length: %s\r\n" % (b"9" * 30),
    "HEAD": b"HEAD /v1/status HTTP/1.1\r\nhost: x\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nhost: x\r\n",
    "HTTP/1.0": b"GET /v1/status HTTP/1.0\r\n",
    "no HTTP": b"EHLO exeunt\r\n",
}


@pytest.mark.parametrize("head", [pytest.param(head, id=name.replace(" ", "_")) for name, head in ODD.items()])
def test_an_odd_request_is_refused_and_breaks_nothing(unharmed: tuple[Scene, Envoy], head: bytes) -> None:
    scene, envoy = unharmed
    answer = raw(scene.sidecar.places.signal, head + b"connection: close\r\n\r\n", timeout=2)
    assert answer.startswith(b"HTTP/1.1 4")
    assert not envoy.logged(messages.FILTER_DIED)
    check_serving(scene, envoy)


@pytest.mark.parametrize(
    "line",
    ["GET http://backend.example:8080/ HTTP/1.1", "GET http://127.0.0.1:1/ HTTP/1.1", "CONNECT backend.example:8080 HTTP/1.1"],
)
def test_the_signal_listener_is_no_forward_proxy(make_scene: MakeScene, line: str) -> None:
    scene = make_scene()
    upstream = scene.upstream(mode="http")
    scene.envoy()
    answer = raw(
        scene.sidecar.places.signal, f"{line}\r\nhost: backend.example:8080\r\nconnection: close\r\n\r\n".encode(), timeout=2
    )
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405", b"HTTP/1.1 403"))
    assert b"x-exeunt: " in answer
    assert [report["event"] for report in upstream.reports] == ["listening"]
