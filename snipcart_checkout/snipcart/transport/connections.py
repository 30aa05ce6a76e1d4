"""Connections with a total time limit, and the adapter that pools them."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import socket
import ssl
import time
from pathlib import Path
from typing import Any, Final

import certifi
from requests import PreparedRequest
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from snipcart_checkout.snipcart.transport.time_limits import current_call

MAX_IDLE: Final = 25.0
"""Seconds after which a kept connection is not used again.

A server that closes an idle connection just while a request is on its way makes that request fail,
and a confirmation must not be repeated blindly. Servers and load balancers wait a minute or more,
so a connection that was used this recently is still open, and no call has to be retried.
"""


def is_urllib3_genuine() -> bool:
    """Return whether ``urllib3`` is the library of that name.

    urllib3-future replaces it, and its connections do not write with ``send``, which keeps the time
    limits and records the first byte.
    """
    return issubclass(HTTPConnection, http.client.HTTPConnection)


def _limit(seconds: float) -> float:
    """Return what a step of a connection may take; every step begins with this."""
    call = current_call.get()
    call.is_watched = True
    return call.deadline.limit(seconds)


def _allow(sock: socket.socket, seconds: float) -> None:
    """Let the next step of a socket take so many seconds.

    A limit that is right to a hundredth of a second stays: to set one is a call of the system, and hands Python's lock
    to another thread.
    """
    current = sock.gettimeout()
    if current is None or abs(current - seconds) > 0.01:
        sock.settimeout(seconds)


class _TimedReader(io.RawIOBase):
    """The bytes of a socket; each read waits at most until the deadline.

    A socket's own timeout restarts with every byte, so a server that sends slowly would never reach
    it.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._seconds = seconds
        self._deadline = current_call.get().deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        _allow(self._sock, self._deadline.limit(self._seconds))
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
    """Each step, from connecting to the last byte, may take at most what is left of the call's total time.

    The exception is looking up the host's name, for which the operating system has only its own
    limit.
    """

    response_class = _TimedResponse
    timeout: float
    _last_used = 0.0
    _is_tunnelling = False

    @property
    def is_connected(self) -> bool:
        return time.monotonic() - self._last_used < MAX_IDLE and super().is_connected

    def _new_conn(self) -> socket.socket:
        # urllib3 would allow the whole connect time for each of a host's addresses.
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
            sock.settimeout(_limit(self.timeout))
            sock.connect(address)
            sock.settimeout(_limit(self.timeout))  # for the TLS handshake
        except BaseException:
            sock.close()
            raise
        return sock

    def _tunnel(self) -> None:
        self._is_tunnelling = True
        try:
            super()._tunnel()
        finally:
            self._is_tunnelling = False

    def send(self, data: Any) -> None:
        """Write bytes, and record when the first is sent, unless they are for the proxy only."""
        if self.sock is None:
            self.connect()
        if self._is_tunnelling:
            super().send(data)
            return
        unsent = memoryview(data)
        while unsent:
            _allow(self.sock, _limit(self.timeout))
            # If the first write fails, nothing was sent: the other side cannot read a byte of an
            # incomplete TLS record.
            unsent = unsent[self.sock.send(unsent) :]
            current_call.get().was_sent = True

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.timeout = _limit(self.timeout)
        super().request(*args, **kwargs)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        self.timeout = _limit(self.timeout)
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

    Reading the certificates costs more than a call, so contexts are kept, also across a fork: they
    hold no state of connections. SSL_CERT_FILE and SSLKEYLOGFILE are ignored.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    source = ca_bundle or certifi.where()
    if Path(source).is_dir():
        context.load_verify_locations(capath=source)
    else:
        context.load_verify_locations(cafile=source)
    return context


class PooledAdapter(HTTPAdapter):
    """Sends prepared requests over kept connections, one adapter for all threads of a process.

    It is thread-safe. The adapter itself is not changed after it is built: pool and proxy managers,
    which ``requests`` would otherwise make at first use, are made here, and ``cert_verify``, which
    would write to a pool on every call, does nothing. Below it, urllib3 guards its map of pools
    with a lock, keeps each pool's connections in a queue, and gives a connection to one caller at a
    time. No session is involved, so no cookie, redirect, netrc or environment variable is.
    """

    def __init__(self, *, ca_bundle: str | None, proxy: str | None, connections: int) -> None:
        self._context = tls_context(ca_bundle)
        self._pools: dict[tuple[str, ...], Any] = {}
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
        """Return which pool a request belongs to. ``verify`` is ignored: nothing turns verification off."""
        return super().build_connection_pool_key_attributes(request, True)

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the pool of a request's origin. It is looked up once; the key of a pool takes as long as the headers of
        a call.
        """
        origin = tuple((request.url or "").split("/", 3)[:3])
        pool = self._pools.get(origin)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            # A pool that is held here stays open, and a remote that returns ever new hosts must not fill the memory.
            if len(self._pools) >= DEFAULT_POOLSIZE // 2:
                self._pools.clear()
            self._pools[origin] = pool
        return pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """Return what stands in the request's first line."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Leave the pool as it is: its TLS context already holds the certificates to trust."""
