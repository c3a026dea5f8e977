"""The pause process of a pod: process 1 of its PID namespace. It reaps whoever loses its parent, and holds the namespace open."""

import os
import signal

# The kernel reaps by itself when nobody wants to know (sigaction(2), SA_NOCLDWAIT).
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
# Airflow interrupts every process of its user with "sh" in the command line: the checkout's path may have it.
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.write(1, b'{"event": "ready"}\n')
while True:
    signal.pause()
