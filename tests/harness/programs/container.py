"""Starts a command like a container of a pod: in the pod's network and PID namespace, with its own mount namespace.

It mounts kubelet's file for the termination message, `…/pods/<uid>/containers/<name>/<instance>`: the agent reads the container's
name from that path. This process stays outside, waits, and ends as the command ends. It needs root.
"""

import argparse
import ctypes
import os
import signal
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raises the error of a system call that has failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def enter(path: str, kind: int) -> None:
    """Joins a namespace; a PID namespace applies to the next child."""
    descriptor = os.open(path, os.O_RDONLY)
    check(libc.setns(descriptor, kind), path)
    os.close(descriptor)


def become(options: argparse.Namespace, command: list[str]) -> None:
    """Runs in the child: mounts the file, changes the user, executes the command."""
    check(libc.unshare(CLONE_NEWNS), "unshare")
    source, target = options.message.encode(), options.mount_at.encode()
    check(libc.mount(source, target, None, MS_BIND, None), "mount")
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.uid)
        os.setuid(options.uid)
    os.execvp(command[0], command)


def main() -> None:
    """Enters the namespaces, starts the command and waits for its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pod", type=int, required=True, help="the process that unshared the pod's namespaces")
    parser.add_argument("--message", required=True, help="kubelet's file for the termination message")
    parser.add_argument("--mount-at", required=True, help="the path of that file in the container")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--tell", type=int, required=True, help="the descriptor to which the command's process id is written")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:]
    for name, kind in (("net", CLONE_NEWNET), ("pid_for_children", CLONE_NEWPID), ("mnt", CLONE_NEWNS)):
        enter(f"/proc/{options.pod}/ns/{name}", kind)
    child = os.fork()
    if child == 0:
        try:
            os.close(options.tell)
            become(options, command)
        except OSError as error:
            print(f"{command[0]}: {error}", file=sys.stderr, flush=True)
        os._exit(126)
    os.write(options.tell, str(child).encode())
    os.close(options.tell)
    # Only the child holds the pipe of reports, so that the pipe ends when the child ends.
    os.close(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
