"""The pause process of a pod: process 1 of its PID namespace. It reaps orphans and keeps the namespace alive."""

import os
import signal

# With SIGCHLD ignored the kernel reaps children by itself (sigaction(2), SA_NOCLDWAIT).
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
# Airflow sends SIGINT to every process of its user that has "sh" in its command line, and the path of this file may contain it.
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.write(1, b'{"event": "ready"}\n')
while True:
    signal.pause()
