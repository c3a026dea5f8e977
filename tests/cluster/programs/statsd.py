"""A server of statsd, which tells how many requests the proxies of a pod have passed on, by their metrics.

usage: statsd.py PORT

It writes a line of JSON for each such counter.
"""

import json
import re
import socket
import sys
from typing import Any

# A counter of a cluster that istiod has made. Envoy counts the requests to other pods a second time, as external ones.
_COUNTER = re.compile(r"cluster\.(outbound\|[^;:]*);?(?<!external)\.upstream_rq_completed:(\d+)\|c")
_BUFFER = 65_536


def counters(datagram: bytes) -> list[dict[str, Any]]:
    """The clusters in a datagram, and how many requests to them have ended."""
    return [{"cluster": name, "requests": int(number)} for name, number in _COUNTER.findall(datagram.decode(errors="replace"))]


def main() -> None:
    """Receives for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", int(sys.argv[1])))
        print(json.dumps({"listening": server.getsockname()[1]}), flush=True)
        while True:
            for counter in counters(server.recv(_BUFFER)):
                print(json.dumps(counter), flush=True)


if __name__ == "__main__":
    main()
