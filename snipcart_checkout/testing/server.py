"""A small HTTP server on a free loopback port, which lets its owner decide about every byte it sends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from snipcart_checkout.testing.faults import Wire

__all__ = ["Request", "Server"]

_POLL: Final = 0.02
_MAX_BODY: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came in. Header names are lower-case; ``connection`` counts connections from 1."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    connection: int


class Server:
    """Serves in threads of its own between ``start`` and ``stop``, on the same port each time.

    ``answer`` gets each request and the wire, and returns whether the connection stays open.
    """

    def __init__(self, answer: Callable[[Request, Wire], bool], tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._port = 0
        self._listener: _Listener | None = None
        self.connections = 0

    @property
    def url(self) -> str:
        """The root of the server's URLs, without trailing slash."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin to listen."""
        listener = _Listener(("127.0.0.1", self._port), self)
        self._listener, self._port = listener, listener.server_address[1]
        threading.Thread(target=listener.serve_forever, args=(_POLL,), daemon=True).start()

    def stop(self) -> None:
        """Close the port and every connection; whatever hangs is let go."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.close()

    def answer(self, request: Request, wire: Wire) -> bool:
        """Let the owner answer."""
        return self._answer(request, wire)

    def secure(self, connection: socket.socket) -> socket.socket:
        """Return the connection as the handler is to use it, after the TLS handshake if there is one."""
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection


class _Listener(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        self.stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def opened(self, connection: socket.socket) -> int:
        with self._lock:
            self._open.add(connection)
            self.owner.connections += 1
            return self.owner.connections

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def close(self) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are part of what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: _Listener

    def setup(self) -> None:
        self.request = self.server.owner.secure(self.request)
        self.number = self.server.opened(self.request)
        super().setup()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.closed(self.request)
        self.request.close()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        length = min(int(self.headers.get("Content-Length", 0)), _MAX_BODY)
        request = Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
            connection=self.number,
        )
        wire = Wire(connection=self.connection, stopped=self.server.stopped)
        if not self.server.owner.answer(request, wire):
            self.close_connection = True

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_args: Any) -> None:
        """Write nothing to the terminal: the calls are recorded."""
