"""Connections that keep to a total time limit, and the adapter that pools them."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import socket
import ssl
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import certifi
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

__all__ = ["Deadline", "PooledAdapter", "current_deadline"]

MAX_IDLE: Final = 25.0
"""Seconds after which a kept connection is not used again.

A server that closes an idle connection just while a request is on its way makes that request fail, and a
confirmation must not be repeated on a guess. Servers and load balancers wait a minute or more, so
whatever was used this recently is still open, and nothing needs to be tried twice.
"""


class Deadline:
    """The moment when a call has to be over, whatever the server does."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def limit(self, seconds: float) -> float:
        """Return the smaller of ``seconds`` and the time left; raise TimeoutError when none is left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the total time limit is over")
        return min(seconds, left)


current_deadline: ContextVar[Deadline] = ContextVar("current_deadline")
"""The deadline of the call that this thread is making. urllib3 offers no other way down to a connection."""


class _TimedReader(io.RawIOBase):
    """A socket's bytes, each read of which waits at most until the deadline.

    A socket's own timeout starts anew with every byte, so a server that drips would never meet it.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._seconds = seconds
        self._deadline = current_deadline.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.limit(self._seconds))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(raw, sock, sock.gettimeout() or 0.0))


class _TimedConnection(HTTPConnection):
    """Every step, from connecting to the last byte, gets at most what is left of the call's total time.

    Looking up the host's name is the exception: the operating system offers no limit for it but its own.
    """

    response_class = _TimedResponse
    timeout: float
    _last_used = 0.0

    @property
    def is_connected(self) -> bool:
        return time.monotonic() - self._last_used < MAX_IDLE and super().is_connected

    def _new_conn(self) -> socket.socket:
        # urllib3 would give each of a host's addresses the whole connect time anew.
        addresses = socket.getaddrinfo(self.host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses[:-1]:
            with contextlib.suppress(OSError):
                return self._connect_to(address, family, kind, protocol)
        family, kind, protocol, _, address = addresses[-1]
        return self._connect_to(address, family, kind, protocol)

    def _connect_to(self, address: Any, *how: int) -> socket.socket:
        sock = socket.socket(*how)
        try:
            for option in self.socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(current_deadline.get().limit(self.timeout))
            sock.connect(address)
            sock.settimeout(current_deadline.get().limit(self.timeout))  # for the TLS handshake
        except BaseException:
            sock.close()
            raise
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.timeout = current_deadline.get().limit(self.timeout)
        super().request(*args, **kwargs)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        self.timeout = current_deadline.get().limit(self.timeout)
        self._last_used = time.monotonic()
        return super().getresponse()


class _TimedTLSConnection(_TimedConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection  # type: ignore[assignment]


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTLSConnection  # type: ignore[assignment]


_POOLS: Final = {"http": _Pool, "https": _TLSPool}


@functools.lru_cache(maxsize=8)
def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return the context that verifies Snipcart; raise OSError where the CA file or directory is unusable.

    Reading the certificates costs more than a call, so contexts are kept, across a fork too: they hold
    nothing of any connection. Neither SSL_CERT_FILE nor SSLKEYLOGFILE has a say.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    source = ca_bundle or certifi.where()
    if Path(source).is_dir():
        context.load_verify_locations(capath=source)
    else:
        context.load_verify_locations(cafile=source)
    return context


class PooledAdapter(HTTPAdapter):
    """Sends prepared requests over kept connections, one adapter for all threads of a process.

    What its callers share is safe to share. The adapter itself is not changed after it is built: pool and
    proxy managers, which ``requests`` would otherwise make at first use, are made here, and
    ``cert_verify``, which would write to a pool on every call, does nothing. Below it, urllib3 guards its
    map of pools with a lock, keeps each pool's connections in a queue, and gives a connection to one
    caller at a time. No session is involved, so no cookie, redirect, netrc or environment variable is.
    """

    def __init__(self, *, ca_bundle: str | None, proxy: str | None, connections: int) -> None:
        self._context = tls_context(ca_bundle)
        super().__init__(pool_maxsize=connections)
        self.proxies = {"http": proxy, "https": proxy} if proxy else {}
        if proxy:
            manager = self.proxy_manager_for(
                proxy, ssl_context=self._context, proxy_ssl_context=self._context
            )
            manager.pool_classes_by_scheme = _POOLS

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: object, cert: object = None
    ) -> Any:
        """Say which pool a request belongs to. ``verify`` is not asked: nothing turns verification off."""
        return super().build_connection_pool_key_attributes(request, True)

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Leave the pool as it is: its TLS context already holds the certificates to trust."""
