"""The servers of pods that attack, or are attacked.

usage: servers.py app PORT          an application that says each second what the filter's state is; POST /end ends it, and so do
                                    the requests that end a Cloud SQL Auth Proxy and a Vault agent
       servers.py open-proxy PORT   the same, and it passes /pass/ADDRESS/PATH on to http://ADDRESS/PATH, with all headers
       servers.py honest-proxy PORT the same, and it names itself in the header `via`, as a proxy must (RFC 9110 §7.6.3)
       servers.py impostor N TEXT   answers every request on the port of the signal with status N and this text, as if it were the
                                    filter; it makes the file /scratch/ready
       servers.py sink PORT         says who has asked it

Each writes lines of JSON to stdout.
"""

import http.client
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

_SIGNAL = ("127.0.0.1", 15190)
_ONWARD = "/pass/"
_READY = Path("/scratch/ready")
_TIMEOUT_S = 10
_ENDS = ("/end", "/quitquitquit", "/agent/v1/quit")


def say(**event: object) -> None:
    """Writes one event; threads do not mix their lines."""
    print(json.dumps(event) + "\n", end="", flush=True)


class Handler(BaseHTTPRequestHandler):
    """Answers every request with `reply`."""

    protocol_version = "HTTP/1.1"
    reply = b"hello"

    def answer(self) -> None:
        """Reads the request, says it, and answers."""
        length = int(self.headers.get("content-length") or 0)
        self.body = self.rfile.read(length)
        say(
            asked=f"{self.command} {self.path}",
            host=self.headers.get("host"),
            headers=sorted(name.lower() for name in self.headers),
        )
        self.send(*self.respond())
        self.answered()

    def answered(self) -> None:
        """What follows an answer: nothing."""

    def respond(self) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        return 200, self.reply

    def send(self, status: int, body: bytes) -> None:
        """Sends an answer and ends the connection."""
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Logs nothing: the events are enough."""

    # The names that http.server calls.
    do_GET = do_POST = do_CONNECT = answer  # noqa: N815


class Impostor(Handler):
    """Names itself as the filter does."""

    status = 200

    def respond(self) -> tuple[int, bytes]:
        """What it was told to answer."""
        return self.status, self.reply

    def end_headers(self) -> None:
        """Adds the name."""
        self.send_header("x-exeunt", "0.1.0")
        super().end_headers()


class App(Handler):
    """An application of a pod."""

    def answered(self) -> None:
        """Some requests end the program."""
        if self.command == "POST" and self.path in _ENDS:
            say(state=state())
            threading.Thread(target=self.server.shutdown).start()


class OpenProxy(App):
    """An application that passes requests on to wherever they ask, with their headers."""

    own: ClassVar[dict[str, str]] = {}

    def respond(self) -> tuple[int, bytes]:
        """The answer of the other server."""
        if not self.path.startswith(_ONWARD):
            return super().respond()
        address, _, path = self.path[len(_ONWARD) :].partition("/")
        connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
        try:
            connection.request(self.command, f"/{path}", body=self.body, headers=dict(self.headers.items()) | self.own)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError as error:
            return 502, str(error).encode()
        finally:
            connection.close()


class HonestProxy(OpenProxy):
    """The same, as the standard wants it."""

    own: ClassVar[dict[str, str]] = {"via": "1.1 honest"}


def state() -> str:
    """What the filter says of its state; why not, if it does not."""
    connection = http.client.HTTPConnection(*_SIGNAL, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/v1/status")
        return str(json.loads(connection.getresponse().read())["state"])
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def say_states() -> None:
    """Says the filter's state each second, for ever."""
    while True:
        say(state=state())
        time.sleep(1)


_APPLICATIONS = {"app": App, "open-proxy": OpenProxy, "honest-proxy": HonestProxy}


def main() -> int:
    """Serves until it is told to end, or for ever."""
    what, word, *text = sys.argv[1:]
    if what in _APPLICATIONS:
        threading.Thread(target=say_states, daemon=True).start()
        server = ThreadingHTTPServer(("", int(word)), _APPLICATIONS[what])
    elif what == "impostor":
        Impostor.status, Impostor.reply = int(word), text[0].encode()
        server = ThreadingHTTPServer(_SIGNAL, Impostor)
        _READY.touch()
    else:
        server = ThreadingHTTPServer(("", int(word)), Handler)
    say(listening=server.server_address[1])
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
