"""Where a server listens, and how long it listens to one client."""

import io
import socket
import time
from typing import Any

from ..command import InputError


class TimedReader(io.RawIOBase):
    """What a connection brings until a deadline, however often a little of it comes.

    Args:
        connection: what is read
        seconds: the time from now to the deadline
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Set the deadline so many seconds from now."""
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; raise TimeoutError when the deadline comes first."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """Return the family of a host's address, and what a socket of it binds to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"--host {host} is not an address of this machine: {why}.") from error
    # A name that has both kinds, as localhost often has, means the one that all clients try.
    family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, place
