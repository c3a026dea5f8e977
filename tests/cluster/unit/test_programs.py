"""The programs that run in the cluster, tested on sockets of this machine."""

import json
import os
import signal
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


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(task, "wait_ready", lambda: None)
    monkeypatch.setattr(sys, "argv", ["task.py", *words])
    return task.main()


def test_a_late_failure_comes_after_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(task, "_ATTEMPTS", tmp_path / "attempts")
    assert run(monkeypatch, "wait", "--failures", "2") == 3
    assert events(capsys) == [{"failed": True}]
    assert run(monkeypatch, "wait", "--failures", "2", "--late") == 3
    assert [sorted(one) for one in events(capsys)] == [["ended", "failed"]]
    assert run(monkeypatch, "wait", "--failures", "2", "--late") == 0


def test_a_task_that_lingers_works_on_after_sigterm_and_ends_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        task.linger(0)
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
    assert [sorted(one) for one in events(capsys)] == [["term"]]


def test_a_sidecar_sleeps_until_sigterm(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        # To this thread alone: a thread of an earlier test that does not block SIGTERM would end pytest.
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        task.wait_term()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert [sorted(one) for one in events(capsys)] == [["term"]]


def test_a_task_waits_for_the_kill_of_another_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(task, "_KILLED", tmp_path / "killed")
    monkeypatch.setattr(task, "_TIMEOUT_S", 0)
    with pytest.raises(SystemExit, match="nothing was killed"):
        task.wait_killed()
    (tmp_path / "killed").touch()
    task.wait_killed()


def test_the_signal_goes_to_the_processes_of_our_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(task, "_KILLED", tmp_path / "killed")
    monkeypatch.setattr(task, "others_of_our_uid", lambda: [7, 8])
    monkeypatch.setattr(task, "runs", lambda _container: True)
    monkeypatch.setattr(task.os, "kill", lambda pid, number: sent.append((pid, number)))
    task.kill(signal.SIGTERM, delay=0, after_end=False, attempts=0)
    assert sent == [(7, signal.SIGTERM), (8, signal.SIGTERM)]
    assert (tmp_path / "killed").exists()


def test_the_task_exits_with_the_given_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "wait", "--exit", "3") == 3


def test_a_task_that_cannot_wait_fails_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(task, "is_ready", lambda: False)
    assert run(monkeypatch, "wait", "--at-once") == 4
    assert events(capsys) == [{"ready": False}]
    monkeypatch.setattr(task, "is_ready", lambda: True)
    assert run(monkeypatch, "wait", "--at-once") == 0


def test_a_helper_ends_when_the_proxy_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([True, True, False])
    monkeypatch.setattr(task, "is_ready", lambda: next(answers))
    monkeypatch.setattr(task, "_POLL_S", 0)
    assert run(monkeypatch, "helper") == 0
    assert next(answers, None) is None
    monkeypatch.setattr(task, "is_ready", lambda: True)
    monkeypatch.setattr(task, "_TIMEOUT_S", 0)
    with pytest.raises(SystemExit, match="has not ended"):
        run(monkeypatch, "helper")


def test_everything_is_killed_in_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(task.os, "kill", lambda pid, number: sent.append((pid, number)))
    task.kill_all(0)
    assert sent == [(-1, signal.SIGTERM), (-1, signal.SIGKILL)]


def test_a_signal_finds_the_agent_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sent: list[tuple[int, int]] = []
    for pid, name in ((7, "python3"), (8, "exeunt-agent")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "comm").write_text(f"{name}\n")
    monkeypatch.setattr(task, "_PROC", tmp_path)
    monkeypatch.setattr(task, "others_of_our_uid", lambda: [7, 8])
    monkeypatch.setattr(task.os, "kill", lambda pid, number: sent.append((pid, number)))
    assert run(monkeypatch, "freeze") == 0
    assert run(monkeypatch, "thaw") == 0
    assert sent == [(8, signal.SIGSTOP), (8, signal.SIGCONT)]
    monkeypatch.setattr(task, "others_of_our_uid", lambda: [7])
    with pytest.raises(SystemExit, match="no agent was found"):
        run(monkeypatch, "freeze")


def test_the_meter_adds_up_user_and_kernel_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for pid, used in ((7, "30 12"), (8, "1 2")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a name) with) S 1 1 1 0 -1 4194304 9 0 0 0 {used} 5 5 20 0 1 0 77\n")
    monkeypatch.setattr(task, "_PROC", tmp_path)
    assert [task.cpu_seconds(pid) * task._TICKS for pid in (7, 8, 9)] == [42, 3, 0]


def test_the_other_processes_of_our_user_do_not_include_ourselves() -> None:
    assert os.getpid() not in task.others_of_our_uid()
