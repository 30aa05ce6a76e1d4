"""The ways in which the stand-in Snipcart can misbehave, each as bytes on the wire."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["FAULTS", "Fault", "Reply", "Wire"]

_DRIP: Final = 0.02
_HUGE: Final = 16 * 1024 * 1024


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
    """A connection to write to, until the stand-in stops."""

    connection: socket.socket
    stopped: threading.Event

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(data)

    def send_reply(self, reply: Reply) -> None:
        """Answer as a healthy server would."""
        self.send(reply.head(length=len(reply.body)) + reply.body)

    def drip(self, data: bytes) -> None:
        """Send byte by byte, each within any read timeout."""
        for position in range(len(data)):
            if self.stopped.wait(_DRIP):
                return
            self.send(data[position : position + 1])


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to misbehave.

    ``acts`` tells whether Snipcart does what it was asked (records the confirmation) before it misbehaves.
    ``send`` writes to the wire; afterwards the connection is closed, unless ``keeps_connection``.
    """

    send: Callable[[Wire, Reply, float], None]
    acts: bool = False
    keeps_connection: bool = False


def _hang(wire: Wire, _reply: Reply, seconds: float) -> None:
    wire.stopped.wait(seconds)


def _slow(wire: Wire, reply: Reply, seconds: float) -> None:
    if not wire.stopped.wait(seconds):
        wire.send_reply(reply)


def _cut(_wire: Wire, _reply: Reply, _seconds: float) -> None:
    """The connection is closed by the caller, as after every fault."""


def _cut_body(wire: Wire, reply: Reply, _seconds: float) -> None:
    wire.send(reply.head(length=len(reply.body)) + reply.body[: len(reply.body) // 2])


def _drip_headers(wire: Wire, reply: Reply, seconds: float) -> None:
    wire.send(reply.head(length=len(reply.body)).removesuffix(b"\r\n") + b"X-Drip: ")
    _drip_until(wire, seconds)


def _drip_body(wire: Wire, reply: Reply, seconds: float) -> None:
    wire.send(reply.head(length=None))
    _drip_until(wire, seconds)


def _drip_until(wire: Wire, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not wire.stopped.is_set():
        wire.drip(b" ")


def _redirect(wire: Wire, _reply: Reply, _seconds: float) -> None:
    wire.send_reply(Reply(status=302, headers=(("Location", "/elsewhere"),)))


def _wrong_json(wire: Wire, reply: Reply, _seconds: float) -> None:
    wire.send_reply(Reply.of_json(reply.status, {"status": "ok"}))


def _truncated_json(wire: Wire, reply: Reply, _seconds: float) -> None:
    wire.send_reply(
        Reply(status=reply.status, headers=reply.headers, body=reply.body[: len(reply.body) // 2])
    )


def _not_json(wire: Wire, reply: Reply, _seconds: float) -> None:
    wire.send_reply(
        Reply(status=reply.status, headers=(("Content-Type", "text/html"),), body=b"<h1>Maintenance</h1>")
    )


def _huge(wire: Wire, reply: Reply, _seconds: float) -> None:
    wire.send_reply(Reply(status=reply.status, headers=reply.headers, body=b" " * _HUGE + reply.body))


def _gzip_bomb(wire: Wire, reply: Reply, _seconds: float) -> None:
    bomb = gzip.compress(b" " * _HUGE + reply.body)
    wire.send_reply(
        Reply(status=reply.status, headers=(*reply.headers, ("Content-Encoding", "gzip")), body=bomb)
    )


FAULTS: Final[Mapping[str, Fault]] = {
    "hang": Fault(send=_hang),
    "hang-after": Fault(send=_hang, acts=True),
    "slow": Fault(send=_slow, acts=True, keeps_connection=True),
    "cut-before": Fault(send=_cut),
    "cut-after": Fault(send=_cut, acts=True),
    "cut-body": Fault(send=_cut_body, acts=True),
    "drip-headers": Fault(send=_drip_headers, acts=True),
    "drip-body": Fault(send=_drip_body, acts=True),
    "redirect": Fault(send=_redirect, keeps_connection=True),
    "wrong-json": Fault(send=_wrong_json, acts=True, keeps_connection=True),
    "truncated-json": Fault(send=_truncated_json, acts=True, keeps_connection=True),
    "not-json": Fault(send=_not_json, acts=True, keeps_connection=True),
    "huge": Fault(send=_huge, acts=True),
    "gzip-bomb": Fault(send=_gzip_bomb, acts=True, keeps_connection=True),
}
"""Every fault by name. ``after`` in a name says that Snipcart had already done what it was asked."""
