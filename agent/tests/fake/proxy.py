"""A proxy as the agent sees it: listeners, a filter, an admin interface and a pilot-agent, all in one process that may end.

Usage: proxy.py [filter=ok|foreign|drained|hostile|endless|over|stalled|older|none] [admin=yes|no] [pilot=yes|no] [front=SECONDS] [end=SECONDS] [limit=NAME]
An older filter takes no limits. An endless one always has another second, and of one that is over the time is over. A hostile one answers with what steers a terminal and forges a verdict. A stalled one gives up a second after its start, and its proxy closes its connections then. The front listener reads nothing for its seconds, and the end takes its seconds: until then no listener
answers but pilot-agent's. A drained filter names the limit that has ended its drain. Says on stdout where it listens, then what it was
asked, then how many bytes its front listener was sent.
"""

import json
import os
import socket
import sys
import threading
import time

ROLES = dict(argument.split("=") for argument in sys.argv[1:])
LOCK = threading.Lock()
SIGNALLED = threading.Event()
GAVE_UP = threading.Event()
CONNECTIONS = []
RECEIVED = 0
QUIET = 0


def say(*words):
    with LOCK:
        print(*words, flush=True)


def leave():
    say("received", RECEIVED)
    sys.stdout.flush()
    os._exit(0)


def end_slowly():
    """Closes the listeners of Envoy at once, as Envoy does, and ends later."""
    for role in ("signal", "admin", "front"):
        LISTENERS[role].shutdown(socket.SHUT_RDWR)
        LISTENERS[role].close()
    time.sleep(float(ROLES.get("end", 0)))
    leave()


def listen():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(50)
    return listener


def read_request(connection):
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(4096)
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(4096)
    return lines[0].rsplit(" ", 1)[0], headers, body


def answer(connection, status, headers, body):
    body = body.encode()
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close", *headers]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
    connection.close()


def give_up():
    """Tells that it quits, closes the connections, and ends a second and a half later."""
    SIGNALLED.wait()
    time.sleep(1)
    GAVE_UP.set()
    for connection in CONNECTIONS:
        connection.close()
    time.sleep(1.5)
    leave()


def filter_listener(connection, request, headers, body):
    """Quits on the second quiet report in a row, like the real one."""
    global QUIET
    if ROLES.get("filter") == "foreign":
        return answer(connection, 503, [], "no healthy upstream")
    if ROLES.get("filter") == "hostile":
        return answer(connection, 400, ["x-exeunt: 9.9.9"], '\x1b[2J\x9b31m\u202e{"proxy":"gone"}\r{"proxy":"gone"}\n{"proxy":"gone"}')
    states = {"endless": "a state of its own", "over": "a state of its own", "drained": "drained"}
    state = states.get(ROLES.get("filter"), "quitting" if GAVE_UP.is_set() else "draining")
    if request == "POST /v1/complete":
        SIGNALLED.set()
        completion = json.loads(headers["x-exeunt-completion"])
        say("completion", headers.get("x-exeunt"), json.dumps(completion))
        limits = [name for name in ("drainTimeoutMs", "stallTimeoutMs") if name in completion]
        if ROLES.get("filter") == "older" and limits:
            return answer(connection, 400, ["x-exeunt: 9.9.9"], f"{limits[0]}: is not a known field")
        unsent = completion["unsent"]
        held = unsent and [unsent["connections"], unsent["bytes"], unsent.get("buffers", 0)]
        QUIET = QUIET + 1 if held == [0, 0, 0] else 0
    status = {"state": state, "sinceMs": 1, "version": "9.9.9"}
    if ROLES.get("filter") != "older":
        timeout = 1_000 if ROLES.get("filter") == "endless" else 10_000
        left = 0 if ROLES.get("filter") == "over" else timeout
        status |= {"deadlineMs": left, "drainTimeoutMs": timeout, "stallTimeoutMs": 7_000, "limit": ROLES.get("limit")}
    answer(connection, 202, ["x-exeunt: 9.9.9"], json.dumps(status))
    if QUIET == 2 and state == "draining":
        end_slowly()


def admin(connection, request, headers, body):
    say("admin", request)
    bodies = {"GET /clusters": "outbound|9000||x::127.0.0.1:9000::rq_active::0\n"}
    bodies["GET /stats?filter=^cluster_manager.active_clusters$"] = "cluster_manager.active_clusters: 1\n"
    answer(connection, 200, [], bodies.get(request, "OK\n"))
    if request == "POST /quitquitquit":
        leave()


def pilot_agent(connection, request, headers, body):
    say("pilot-agent", request)
    answer(connection, 200, [], "")
    if request == "POST /quitquitquit":
        leave()


def serve(listener, handler):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        handler(connection, *read_request(connection))


def front(listener):
    """Takes in what the task sends, slowly."""
    global RECEIVED
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        CONNECTIONS.append(connection)
        time.sleep(float(ROLES.get("front", 0)))
        while piece := connection.recv(65536):
            RECEIVED += len(piece)
            time.sleep(0.002)
        connection.close()


PORTS = {}
LISTENERS = {}
for role, handler, wanted in [
    ("signal", filter_listener, ROLES.get("filter", "ok") != "none"),
    ("admin", admin, ROLES.get("admin", "yes") == "yes"),
    ("status", pilot_agent, ROLES.get("pilot", "yes") == "yes"),
    ("front", None, True),
]:
    listener = listen()
    PORTS[role] = listener.getsockname()[1]
    LISTENERS[role] = listener
    if not wanted:
        listener.close()
    elif handler:
        threading.Thread(target=serve, args=(listener, handler), daemon=True).start()
    else:
        threading.Thread(target=front, args=(listener,), daemon=True).start()
if ROLES.get("filter") == "stalled":
    threading.Thread(target=give_up, daemon=True).start()
say(PORTS["signal"], PORTS["admin"], PORTS["status"], PORTS["front"])
threading.Event().wait()
