"""Signals that the filter accepts, in every form and number."""

import time
from concurrent.futures import ThreadPoolExecutor

from e2e.upload import MB, finished_upload
from harness.client import Answer, Connection, raw
from harness.delivery import check_all_delivered
from harness.scene import COMPLETION_HEADER, SIGNAL_HEADERS, MakeScene, completion


def test_a_body_in_chunks_with_trailers_is_accepted(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.envoy()
    text = completion(action="drain").encode()
    head = b"POST /v1/complete HTTP/1.1\r\nhost: x\r\nx-exeunt: 1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n" + text[at : at + 1] + b"\r\n" for at in range(len(text)))
    answer = raw(scene.sidecar.places.signal, head + chunks + b"0\r\nlast: one\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 202")


def test_one_kept_alive_connection_carries_good_and_bad_signals(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    envoy = scene.envoy()
    connection = Connection(scene.sidecar.places.signal)
    answers = [
        connection.ask("GET", "/v1/status"),
        connection.ask("POST", "/v1/complete", SIGNAL_HEADERS, b"nonsense"),
        connection.ask("POST", "/v1/complete", SIGNAL_HEADERS | {COMPLETION_HEADER: "nonsense"}),
        connection.ask("POST", "/v1/complete", {}, completion().encode()),
        connection.ask("GET", "/nowhere"),
        connection.ask("POST", "/v1/complete", SIGNAL_HEADERS | {COMPLETION_HEADER: completion(action="drain")}),
        connection.ask("GET", "/v1/status"),
    ]
    connection.close()
    assert [answer.status for answer in answers] == [200, 400, 400, 400, 404, 202, 200]
    assert answers[-1].json()["state"] in ("draining", "drained")
    assert envoy.running


def test_envoy_removes_the_header_with_the_clients_certificate(make_scene: MakeScene, version: str) -> None:
    # So it cannot show the filter that a request came through another proxy.
    scene = make_scene(version=version)
    scene.envoy()
    headers = SIGNAL_HEADERS | {COMPLETION_HEADER: completion(action="drain"), "x-forwarded-client-cert": "By=spiffe://x"}
    assert scene.ask("POST", "/v1/complete", headers).status == 202


def test_two_equal_signals_drain_once(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upload = finished_upload(scene, size=3 * MB, rate=2 * MB)
    answers = [scene.complete(), scene.complete()]
    assert [answer.status for answer in answers] == [202, 202]
    upload.check_delivered()
    assert len(scene.transitions()) == 2


def test_a_completion_in_a_body_is_accepted_too(make_scene: MakeScene, version: str, route: str) -> None:
    scene = make_scene(version=version, route=route)
    upload = finished_upload(scene, size=2 * MB, rate=2 * MB)
    answer = scene.ask("POST", "/v1/complete", SIGNAL_HEADERS, completion(container="by-body").encode())
    assert answer.status == 202
    assert answer.json()["container"] == "by-body"
    upload.check_delivered()


def test_many_signals_at_once_drain_once(make_scene: MakeScene) -> None:
    scene = make_scene()
    upload = finished_upload(scene, size=3 * MB, rate=2 * MB)

    def signal(number: int) -> Answer:
        return scene.complete(exitCode=number)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(signal, range(16)))
    assert {answer.status for answer in answers} == {202}
    upload.check_delivered()
    assert len(scene.transitions()) == 2


def test_two_agents_at_once_agree(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upstream = scene.upstream(rate=2_000_000)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=4_000_000)
    agents = [scene.agent(task), scene.agent(task)]
    task.begin()
    check_all_delivered(upstream, envoy, 4_000_000)
    assert [agent.wait() for agent in agents] == [0, 0]


def test_every_worker_reports_the_same_state(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upstream = scene.upstream(mode="never")
    scene.envoy()
    assert {scene.status()["state"] for _ in range(40)} == {"serving"}
    task = scene.task(size=300_000)
    task.begin()
    task.wait()
    assert upstream.report("accepted")
    signalled_at = time.monotonic()
    answer = scene.complete(container="main-of-many", exitCode=7, action="drain")
    assert answer.status == 202
    # Each request has its own connection: Envoy spreads them over its two workers.
    seen = [scene.status() for _ in range(40)]
    took_ms = (time.monotonic() - signalled_at) * 1000
    assert {status["state"] for status in seen} == {"draining"}
    assert {status["container"] for status in seen} == {"main-of-many"}
    # The workers share one clock, but each reads it only once per turn of its event loop.
    assert all(status["sinceMs"] <= took_ms + 10 for status in seen)
    assert seen[-1]["sinceMs"] > seen[0]["sinceMs"] - 10
