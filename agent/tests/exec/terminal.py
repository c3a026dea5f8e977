"""A terminal, a shell with one job in it, and somebody who types.

Usage: terminal.py COMMAND [ARGUMENT]...
The job reads a line, is stopped by Ctrl-Z, continued by the shell, reads another one, and is ended by Ctrl-C. What the terminal shows
goes to stdout.
"""

import os
import pty
import signal
import sys

JOB = """
import os, signal, sys
def leave(*_):
    print("interrupted", flush=True)
    sys.exit(9)
signal.signal(signal.SIGINT, leave)
# Held back, so that it cannot come before it is waited for.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
for step in [lambda: signal.sigwait({signal.SIGCONT}), signal.pause]:
    print("foreground", os.tcgetpgrp(0) == os.getpgrp(), flush=True)
    print("read", input(), flush=True)
    print("waiting", flush=True)
    step()
"""


def foreground(group):
    os.tcsetpgrp(0, group)


def shell(command):
    """What every shell with job control does."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        foreground(os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        foreground(os.getpgrp())
        if not os.WIFSTOPPED(status):
            print("job ended with", os.waitstatus_to_exitcode(status), flush=True)
            # With the end of a shell its terminal is hung up, and what it shows is lost.
            input()
            os._exit(0)
        print("job stopped", flush=True)
        foreground(job)
        os.killpg(job, signal.SIGCONT)


def type_into(terminal):
    shown = b""
    for cue, keys in [
        (b"foreground True", b"one\n"),
        (b"waiting", b"\x1a"),
        (b"job stopped", b""),
        (b"foreground True", b"two\n"),
        (b"waiting", b"\x03"),
        (b"job ended with", b""),
        (b"\n", b"\n"),
    ]:
        while cue not in shown:
            piece = os.read(terminal, 4096)
            sys.stdout.write(piece.decode())
            sys.stdout.flush()
            shown += piece
        shown = shown.partition(cue)[2]
        os.write(terminal, keys)


pid, terminal = pty.fork()
if pid == 0:
    shell([*sys.argv[1:], sys.executable, "-c", JOB])
type_into(terminal)
os.waitpid(pid, 0)
