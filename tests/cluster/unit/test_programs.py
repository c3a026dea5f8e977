"""The programs that run in the cluster, tested on sockets of this machine."""

import json
import os
import socket
import sys
import threading
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from cluster.programs import receiver, task

Json = dict[str, Any]


def events(capsys: pytest.CaptureFixture[str]) -> list[Json]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def serve(header: Json, payload: bytes) -> None:
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=receiver.serve, args=(theirs,))
    server.start()
    with ours:
        ours.sendall(json.dumps(header).encode() + b"\n" + payload)
    server.join(10)
    assert not server.is_alive()


def test_the_receiver_counts_what_follows_the_header(capsys: pytest.CaptureFixture[str]) -> None:
    serve({"id": "x", "rate": 0}, bytes(300_000))
    assert events(capsys) == [
        {"id": "x", "event": "opened", "bytes": 0},
        {"id": "x", "event": "ended", "bytes": 300_000, "how": "eof"},
    ]


def test_the_receiver_pauses_as_the_header_asks_and_continues(capsys: pytest.CaptureFixture[str]) -> None:
    serve({"id": "x", "stallAt": 1, "stallFor": 0.01}, bytes(300_000))
    assert [(one["event"], one["bytes"] > 0) for one in events(capsys)] == [("opened", False), ("stalled", True), ("ended", True)]


def test_a_connection_without_a_header_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    receiver.serve(theirs)
    assert events(capsys) == []


def test_the_task_writes_the_header_and_every_byte(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("E2E_RECEIVER", f"127.0.0.1:{listener.getsockname()[1]}")
        server = threading.Thread(target=lambda: receiver.serve(listener.accept()[0]))
        server.start()
        task.upload(Namespace(id="x", rate=0, stall_at=None, stall_for=0, bytes=200_001))
        server.join(10)
    said = events(capsys)
    assert {"written": 200_001} in said
    assert {"id": "x", "event": "ended", "bytes": 200_001, "how": "eof"} in said


def test_the_first_attempts_fail_and_the_next_do_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(task, "_ATTEMPTS", tmp_path / "attempts")
    assert [task.failed_before(2) for _ in range(4)] == [True, True, False, False]


def test_the_task_exits_with_the_given_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "wait_ready", lambda: None)
    monkeypatch.setattr(sys, "argv", ["task.py", "wait", "--exit", "3"])
    assert task.main() == 3


def test_the_other_processes_of_our_user_do_not_include_ourselves() -> None:
    assert os.getpid() not in task.others_of_our_uid()
