"""One HTTP exchange: the request that arrived, the reply to it, and the connection on which the reply leaves."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

_DRIP: Final = 0.02  # seconds between two bytes
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came in. Header names are lower-case; ``connection`` counts connections from 1, where known."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    connection: int = 0

    @property
    def json(self) -> Any:
        """The body, parsed. Raises ValueError when it is not JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is to be answered."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_json(cls, status: int, value: object) -> Reply:
        """Return a reply with a JSON body."""
        return cls(
            status=status,
            body=json.dumps(value, ensure_ascii=False).encode(),
            headers=(("Content-Type", "application/json; charset=utf-8"),),
        )

    def head(self, *, length: int | None) -> bytes:
        """Return the status line and headers; without a length the body ends with the connection."""
        framing = ("Connection", "close") if length is None else ("Content-Length", str(length))
        lines = [
            f"HTTP/1.1 {self.status} Stand-in",
            *(f"{name}: {text}" for name, text in (*self.headers, framing)),
        ]
        return "\r\n".join((*lines, "", "")).encode()


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A connection to write to, until the server stops.

    ``is_last`` is asked just before a whole reply leaves: whether the connection is to be closed after it.
    """

    connection: socket.socket
    stopped: threading.Event = field(default_factory=threading.Event)
    is_last: Callable[[], bool] = lambda: False

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(data)

    def send_reply(self, reply: Reply) -> None:
        """Answer as a healthy server would."""
        if self.is_last():
            reply = replace(reply, headers=(*reply.headers, ("Connection", "close")))
        self.send(reply.head(length=len(reply.body)) + reply.body)

    def wait(self, seconds: float) -> None:
        """Let time pass, but not after the server stopped."""
        self.stopped.wait(seconds)

    def wait_for_bytes(self) -> None:
        """Wait until the other side has sent something, which stays unread; five seconds at most."""
        select.select([self.connection], [], [], 5)

    def drip(self, data: bytes) -> None:
        """Send byte by byte, each within any read timeout."""
        for position in range(len(data)):
            if self.stopped.wait(_DRIP):
                return
            self.send(data[position : position + 1])

    def drip_for(self, seconds: float) -> None:
        """Send spaces, one by one, for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.stopped.is_set():
            self.drip(b" ")

    def cut(self) -> None:
        """Close the connection in both directions."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connection with a TCP reset.

        Its file descriptor then leads to a closed pipe: the server's own code goes on with it as after any client
        that went away.
        """
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            os.dup2(ours.fileno(), self.connection.fileno())
