"""Tell whether a server in this container answers: the health check of the images.

With a port and a path, that must answer 200 over HTTP; with a port alone, something must listen.
"""

import http.client
import socket
import sys

SECONDS = 4
NO_ANSWER = (OSError, http.client.HTTPException)


def answers(port: int, path: str | None) -> bool:
    """Ask the server on this port."""
    try:
        if path is None:
            socket.create_connection(("127.0.0.1", port), timeout=SECONDS).close()
            return True
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except NO_ANSWER:
        return False


if __name__ == "__main__":
    sys.exit(not answers(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
