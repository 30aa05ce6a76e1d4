"""A small HTTP server on a free loopback port, which lets its owner decide about every byte it sends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from snipcart_checkout.sandbox.core.wire import Reply, Request, Wire

__all__ = ["Reply", "Request", "Server", "Wire"]

_MAX_BODY: Final = 1024 * 1024


class Server:
    """Serves in threads of its own between ``start`` and ``stop``, on the same port each time.

    ``answer`` gets each request and the wire, and returns whether the connection stays open. ``on_connection`` gets
    each new connection before anything is read from it, and returns whether it is to be used.
    """

    def __init__(
        self,
        answer: Callable[[Request, Wire], bool],
        tls: ssl.SSLContext | None = None,
        *,
        on_connection: Callable[[Wire], bool] = lambda _wire: True,
    ) -> None:
        self.answer = answer
        self.on_connection = on_connection
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
        listener.open()

    def stop(self) -> None:
        """Close the port and every connection; whatever hangs is let go."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.close()

    def drop_connections(self) -> None:
        """Close the connections that wait for another request; those that answer one are closed after it."""
        if self._listener is not None:
            self._listener.drop()

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
        self.drops = 0
        self._open: set[socket.socket] = set()
        self._idle: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        super().__init__(address, _Handler)

    def open(self) -> None:
        self._thread.start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            self.handle_request()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self.stopped.is_set()

    def opened(self, connection: socket.socket) -> int:
        with self._lock:
            self._open.add(connection)
            self.owner.connections += 1
            return self.owner.connections

    def waits(self, connection: socket.socket, drops: int) -> bool:
        """Count a connection as waiting for a request; return whether it still may."""
        with self._lock:
            self._idle.add(connection)
            return drops == self.drops

    def works(self, connection: socket.socket) -> None:
        with self._lock:
            self._idle.discard(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
            self._idle.discard(connection)

    def drop(self) -> None:
        with self._lock:
            self.drops += 1
            _shut(self._idle)

    def close(self) -> None:
        self.stopped.set()
        # It waits for a connection and gets one.
        with contextlib.suppress(OSError), socket.create_connection(self.socket.getsockname(), timeout=1):
            self._thread.join()
        self.server_close()
        with self._lock:
            _shut(self._open)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what the owner's ``answer`` raised; clients that go away are part of what is tested."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


def _shut(connections: Iterable[socket.socket]) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: _Listener

    def setup(self) -> None:
        owner = self.server.owner
        if not owner.on_connection(Wire(connection=self.request, stopped=self.server.stopped)):
            raise ConnectionAbortedError("a fault that was planned")
        self.request = owner.secure(self.request)
        self.number = self.server.opened(self.request)
        self.drops = self.server.drops
        super().setup()
        self.server.waits(self.request, self.drops)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.closed(self.request)
        self.request.close()

    def do_GET(self) -> None:
        self.server.works(self.request)
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
        wire = Wire(connection=self.connection, stopped=self.server.stopped, is_last=self.is_last)
        if not self.server.owner.answer(request, wire) or self.drops != self.server.drops:
            self.close_connection = True

    def is_last(self) -> bool:
        # From here on it counts as waiting: the client may send the next request before this thread goes on.
        return not self.server.waits(self.request, self.drops)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_args: Any) -> None:
        """Write nothing to the terminal: the calls are recorded."""
