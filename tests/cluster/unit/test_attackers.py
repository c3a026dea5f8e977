"""The programs of the group `trust`, tested on this machine: an attack that attacks nothing would prove nothing."""

import ast
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cluster.programs import intruder, prober, servers

Json = dict[str, Any]
PROGRAMS = Path(prober.__file__).parent
# The oldest Python that the task image may have.
OLDEST = (3, 9)


@contextmanager
def serving(handler: type[servers.Handler]) -> Iterator[tuple[str, int]]:
    """A server of `servers.py` on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ("127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture
def impostor(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A listener that answers like the filter, where the programs look for it."""

    class Answer(servers.Handler):
        reply = b'{"state":"serving"}'

    with serving(Answer) as address:
        monkeypatch.setattr(intruder, "_SIGNAL", address)
        monkeypatch.setattr(servers, "_SIGNAL", address)
        yield address


def events(capsys: pytest.CaptureFixture[str], key: str) -> list[Json]:
    return [event for event in map(json.loads, capsys.readouterr().out.splitlines()) if key in event]


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.py")), ids=lambda path: path.name)
def test_the_oldest_python_of_a_task_image_reads_the_program(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=OLDEST)


# === prober.py ===


@pytest.mark.parametrize("what", ["status", "complete"])
def test_every_form_is_a_request_of_its_own(what: str) -> None:
    sent = [form for form, _ in prober.forms(what, "10.0.0.7:15190").values()]
    assert len(sent) >= 10
    # HBONE and CONNECT by HTTP/2 differ by TLS alone.
    assert len(set(sent)) == len(sent) - 1
    assert all(b"/v1/complete" in form for form in sent) is (what == "complete")


def test_a_probe_that_reaches_the_filter_says_so(impostor: tuple[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    sent, _ = prober.forms("status", "x")["absolute form"]
    assert prober.probe(*impostor, "status", "absolute form", sent, tls=False)
    (found,) = events(capsys, "probe")
    assert (found["reached"], found["probe"].split(",")[:2]) == (True, ["status", " absolute form"])
    assert not prober.is_the_filters(b"HTTP/1.1 404 Not Found\r\nserver: istio-envoy\r\n\r\n")
    assert prober.is_the_filters(b"HTTP/1.1 405 Method Not Allowed\r\nX-Exeunt: 0.1.0\r\n\r\n")


def test_what_nobody_listens_to_is_not_reached(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for tls in (False, True):
            assert not prober.probe(*closed.getsockname(), "status", "x", b"x", tls=tls)
    assert [found["answer"] for found in events(capsys, "probe")] == ["", ""]


def test_tunnels_are_asked_for_with_the_certificate_of_the_mesh(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[tuple[str, int], bytes, str]] = []

    def ask(address: tuple[str, int], sent: bytes, *, tls: bool, certificate: str) -> bytes:
        asked.append((address, sent, certificate if tls else ""))
        return b"hello" if b"10.0.0.7:8080" in sent else b""

    monkeypatch.setattr(prober, "ask", ask)
    monkeypatch.setattr(sys, "argv", ["prober.py", "10.0.0.7", "hbone", "/certificate", "8080"])
    prober.main()
    found = events(capsys, "tunnel")
    assert {one["tunnel"] for one in found if one["answered"]} == {"10.0.0.7:8080"}
    assert {one["tunnel"] for one in found if not one["answered"]} == {"127.0.0.1:15190", "[::1]:15190", "localhost:15190"}
    assert {(address, certificate) for address, _, certificate in asked} == {(("10.0.0.7", 15008), "/certificate")}
    assert all(b"CONNECT" in sent for _, sent, _ in asked)


# === servers.py ===


def ask(address: tuple[str, int], method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.usefixtures("impostor")
def test_an_application_answers_and_ends_when_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert servers.state() == "serving"
    server = ThreadingHTTPServer(("127.0.0.1", 0), servers.App)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = ("127.0.0.1", server.server_address[1])
    assert ask(address, "GET", "/") == (200, b"hello")
    assert ask(address, "POST", "/end")[0] == 200
    thread.join(10)
    assert not thread.is_alive()
    server.server_close()
    assert events(capsys, "state") == [{"state": "serving"}]


def test_an_impostor_names_itself_as_the_filter_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers.Impostor, "status", 403)
    with serving(servers.Impostor) as address:
        answer = prober.ask(address, b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n", tls=False)
    assert answer.startswith(b"HTTP/1.1 403")
    assert prober.is_the_filters(answer)


def test_where_nothing_answers_there_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_SIGNAL", ("127.0.0.1", 1))
    assert servers.state().startswith("ConnectionRefusedError")


def test_an_open_proxy_passes_headers_on_and_an_honest_one_adds_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(servers.Handler) as behind:
        path = f"/pass/{behind[0]}:{behind[1]}/v1/complete"
        seen = []
        for kind in (servers.OpenProxy, servers.HonestProxy):
            with serving(kind) as address:
                assert ask(address, "POST", path, {"x-exeunt": "1"}) == (200, b"hello")
            seen.append(next(event for event in events(capsys, "asked") if event["asked"] == "POST /v1/complete")["headers"])
    assert ["x-exeunt" in one for one in seen] == [True, True]
    assert ["via" in one for one in seen] == [False, True]


# === intruder.py ===


@pytest.mark.usefixtures("impostor")
def test_a_completion_is_sent_as_the_filter_wants_it(capsys: pytest.CaptureFixture[str]) -> None:
    intruder.complete("drain")
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"signalled": 200, "action": "drain"} in said
    (asked,) = [event for event in said if "asked" in event]
    assert asked["asked"] == "POST /v1/complete"
    assert {"x-exeunt", "x-exeunt-completion"} <= set(asked["headers"])


def test_absurd_requests_are_large_and_not_utf_8() -> None:
    requests = intruder.absurd_requests()
    assert len(requests) == 10
    assert max(map(len, requests.values())) > 1_000_000
    with pytest.raises(UnicodeDecodeError):
        requests["invalid UTF-8"].decode()
    # All but the last are requests of HTTP.
    assert sum(sent.startswith(b"POST ") for sent in requests.values()) == 9


@pytest.mark.usefixtures("impostor")
def test_a_server_that_is_no_filter_is_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    intruder.forward(["127.0.0.1:15000"])
    found = events(capsys, "forward")
    assert [(one["form"], one["status"], one["by_filter"]) for one in found] == [
        ("absolute form", 200, False),
        ("CONNECT", 200, False),
    ]


def test_a_server_is_asked_for_each_host(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(servers.Handler) as (host, port):
        intruder.ask(f"{host}:{port}", ["exeunt.internal", "unknown.example"])
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["status"] for event in said if "status" in event] == [200, 200]
    assert sorted(event["host"] for event in said if "asked" in event) == ["exeunt.internal", "unknown.example"]


@pytest.mark.usefixtures("impostor")
def test_the_completion_goes_through_the_open_proxy_and_then_it_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(servers.OpenProxy) as (host, port):
        intruder.through(f"{host}:{port}")
    posted = events(capsys, "posted")
    assert [(one["posted"].rpartition("/")[2], one["status"]) for one in posted] == [("complete", 200), ("end", 200)]
    assert "serving" in posted[0]["answer"]


def process(proc: Path, pid: int, comm: str, environ: str) -> Path:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "environ").write_text(environ)
    return folder


def test_the_environment_of_others_is_searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(intruder, "_PROC", tmp_path)
    process(tmp_path, 7, "envoy", "A=1\0SECRET=x\0")
    process(tmp_path, 8, "python3", "A=1\0")
    process(tmp_path, os.getpid(), "me", "SECRET=x\0")
    (tmp_path / "9").mkdir()
    assert intruder.readable("SECRET=") == ["envoy"]


def test_done_is_written_where_the_agent_keeps_its_state_and_the_agent_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(intruder, "_PROC", tmp_path)
    monkeypatch.setattr(intruder.os, "kill", lambda pid, number: sent.append((pid, number)))
    process(tmp_path, 7, "python3", "")
    state = process(tmp_path, 8, "exeunt-agent", "") / "root" / "run" / "exeunt"
    state.mkdir(parents=True)
    (state / "main-base").touch()
    intruder.forge_done()
    assert [pid for pid, _ in sent] == [8]
    assert events(capsys, "forged") == [{"forged": ["done", "main-base"]}]
    monkeypatch.setattr(intruder, "_TIMEOUT_S", 0)
    with pytest.raises(SystemExit, match="no agent was found"):
        intruder.forge_done()


def run(*words: str, ready: Path) -> list[Json]:
    """What the program writes, with another place for the file that says that it is ready."""
    code = (
        "import pathlib, sys; from cluster.programs import intruder; "
        "intruder._READY = pathlib.Path(sys.argv.pop(1)); intruder.main()"
    )
    argv = [sys.executable, "-c", code, str(ready), *words]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=True, timeout=60, env={"PYTHONPATH": str(PROGRAMS.parents[1])}
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_mounts_make_a_long_table() -> None:
    # Not below /tmp, over which the program mounts.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        ready = Path(folder) / "ready"
        (said,) = run("mounts", "5", "--", "true", ready=ready)
        if "refused" in said:
            pytest.skip(f"this machine gives {said['refused']}")
        assert ready.exists()
    # Each line has the place of the folder twice.
    assert said["mountinfo"] > 5 * 2 * 14 * 250


def test_a_process_has_another_name_in_the_table_and_on_its_command_line() -> None:
    argv = [sys.executable, str(PROGRAMS / "intruder.py"), "name", "pilot-agent", "--", "sh", "-c", "exit 7"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 7
    assert json.loads(done.stdout) == {"named": "pilot-agent\n", "words": "pilot-agent"}


def test_an_unknown_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["intruder.py", "nonsense"])
    with pytest.raises(SystemExit, match="nonsense is not known"):
        intruder.main()
