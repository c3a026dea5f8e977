"""Tries to reach the signal listener of a pod's proxy: each form of a request, to each port.

usage: prober.py HOST PORT,PORT... status|complete|both [--end PORT]
       prober.py HOST hbone FOLDER PORT

It writes a line of JSON for each probe, and one with their number. From another pod no probe may reach the filter; the pod itself
shows with 127.0.0.1 that they do reach it. `--end` tells the application of that pod at the end that it may leave.
`hbone` has the certificate of a pod of the mesh, in FOLDER, and asks by CONNECT for the application on PORT and for the listener.
"""

import contextlib
import json
import socket
import ssl
import struct
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

# Where the signal listener is, as a proxy would have to connect to it.
_TARGET = "127.0.0.1:15190"
_COMPLETION = json.dumps({"container": "base", "exitCode": 0, "action": "drain", "unsent": None})
_SIGNAL = {"x-exeunt": "1", "x-exeunt-completion": _COMPLETION}
# What somebody writes who wants to be taken for the pod itself, or to be led to another address by Envoy or Istio.
_FORGED = {
    "x-forwarded-for": "127.0.0.1",
    "x-real-ip": "127.0.0.1",
    "forwarded": "for=127.0.0.1",
    "x-forwarded-host": _TARGET,
    "x-envoy-original-dst-host": _TARGET,
    "x-envoy-external-address": "127.0.0.1",
    "x-envoy-internal": "true",
}
_HOSTS = (_TARGET, "localhost", "exeunt.internal", "192.0.2.190:15190")
# Where Istio's proxies take HBONE.
_HBONE_PORT = 15008
_SILENCE_S = 2.0
_AT_ONCE = 16
# Enough to show what has answered.
_SHOWN = 400

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4


def request(method: str, target: str, host: str, headers: dict[str, str]) -> bytes:
    """A request by HTTP/1.1."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "content-length: 0", "connection: close", "", ""]).encode()


def request_by_2(pairs: dict[str, str], body: bytes = b"") -> bytes:
    """A request by HTTP/2 with prior knowledge (RFC 9113)."""
    block = b"".join(_literal(name.encode(), value.encode()) for name, value in pairs.items())
    head = _PREFACE + _frame(_SETTINGS, 0, 0, b"")
    head += _frame(_HEADERS, _END_HEADERS | (0 if body else _END_STREAM), 1, block)
    return head + (_frame(_DATA, 0, 1, body) if body else b"")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header field without indexing, with a literal name (RFC 7541 §6.2.2), for names and values shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def forms(what: str, host: str) -> dict[str, tuple[bytes, bool]]:
    """Every form of a request for the filter's status, or of a completion; and whether it is sent by TLS."""
    method, path = ("GET", "/v1/status") if what == "status" else ("POST", "/v1/complete")
    signal = {} if what == "status" else _SIGNAL
    plain = request(method, path, _TARGET, signal)
    pseudo = {":method": method, ":scheme": "http", ":authority": _TARGET, ":path": path}
    tunnel = request_by_2({":method": "CONNECT", ":authority": _TARGET}, plain)
    return {
        # The name that leads to the pod, for a proxy on the way that looks at it.
        "its own host": (request(method, path, host, signal), False),
        **{f"host {other}": (request(method, path, other, signal), False) for other in _HOSTS},
        "forged headers": (request(method, path, _TARGET, signal | _FORGED), False),
        "absolute form": (request(method, f"http://{_TARGET}{path}", _TARGET, signal), False),
        "HTTP/2": (request_by_2(pseudo | signal), False),
        "CONNECT": (f"CONNECT {_TARGET} HTTP/1.1\r\nhost: {_TARGET}\r\n\r\n".encode() + plain, False),
        "CONNECT by HTTP/2": (tunnel, False),
        # As a mesh with HBONE does, but without a certificate of the mesh.
        "HBONE": (tunnel, True),
    }


def ask(address: tuple[str, int], sent: bytes, *, tls: bool, certificate: str = "") -> bytes:
    """What comes back until the other end closes or is silent; empty if there is no connection."""
    answer = b""
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(address, timeout=_SILENCE_S))
        if tls:
            connection = stack.enter_context(_by_tls(connection, certificate))
        connection.sendall(sent)
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def _by_tls(plain: socket.socket, certificate: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    if certificate:
        context.load_cert_chain(f"{certificate}/cert-chain.pem", f"{certificate}/key.pem")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(plain)


def is_the_filters(answer: bytes) -> bool:
    """Whether the filter has answered: it names itself in a header, and its state in the body."""
    return b"x-exeunt" in answer.lower() or b'"state"' in answer


def probe(host: str, port: int, what: str, form: str, sent: bytes, tls: bool) -> bool:
    """Sends one probe and writes what it has found; whether it has reached the filter."""
    answer = ask((host, port), sent, tls=tls)
    reached = is_the_filters(answer)
    shown = answer[:_SHOWN].decode("ascii", "backslashreplace")
    print(json.dumps({"probe": f"{what}, {form}, port {port}", "reached": reached, "answer": shown}), flush=True)
    return reached


def hbone(host: str, certificate: str, application: str) -> None:
    """Asks for tunnels to the application, which must be given where there is HBONE at all, and to loopback."""
    for target in (f"{host}:{application}", _TARGET, "[::1]:15190", "localhost:15190"):
        for what, inner in (
            ("status", request("GET", "/v1/status", target, {})),
            ("complete", request("POST", "/v1/complete", target, _SIGNAL)),
        ):
            sent = request_by_2({":method": "CONNECT", ":authority": target}, inner)
            answer = ask((host, _HBONE_PORT), sent, tls=True, certificate=certificate)
            shown = answer[:_SHOWN].decode("ascii", "backslashreplace")
            event = {
                "tunnel": target,
                "what": what,
                "reached": is_the_filters(answer),
                "answered": b"hello" in answer,
                "answer": shown,
            }
            print(json.dumps(event), flush=True)


def main() -> int:
    """Sends all probes."""
    if sys.argv[2] == "hbone":
        hbone(sys.argv[1], *sys.argv[3:])
        return 0
    host, ports, what, *end = sys.argv[1:]
    whats = ("status", "complete") if what == "both" else (what,)
    probes = [
        (host, int(port), one, form, sent, tls)
        for one in whats
        for port in ports.split(",")
        for form, (sent, tls) in forms(one, f"{host}:{port}").items()
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        reached = list(pool.map(lambda one: probe(*one), probes))
    print(json.dumps({"probes": len(probes), "reached": sum(reached)}), flush=True)
    if end:
        leave = urllib.request.Request(f"http://{host}:{end[1]}/end", method="POST")
        with urllib.request.urlopen(leave, timeout=10) as answer:  # noqa: S310 (a pod of the run)
            print(json.dumps({"told": answer.status}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
