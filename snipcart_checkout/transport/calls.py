"""One call to Snipcart: a prepared request in, a status and a body out, within every limit."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.exceptions import Timeout
from urllib3.exceptions import DecodeError
from urllib3.exceptions import TimeoutError as PoolTimeout

from snipcart_checkout.conf import Settings, get_settings
from snipcart_checkout.exceptions import BadAnswer, SnipcartError, SnipcartUnavailable
from snipcart_checkout.transport.connections import Deadline, PooledAdapter, current_deadline
from snipcart_checkout.transport.gate import Gate, Outcome

__all__ = ["Answer", "exchange", "warm"]

MAX_BODY: Final = 2 * 1024 * 1024
"""Bytes of a body after decompression. The largest order that is read has a tenth of them."""

MAX_IGNORED_BODY: Final = 64 * 1024
"""Bytes read of a body that nobody looks at, so that its connection can be kept."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Snipcart answered."""

    status: int
    retry_after: int | None = None
    body: bytes = field(default=b"", repr=False)
    problem: SnipcartError | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def content(self) -> bytes:
        """Return the whole body, decompressed.

        Raises SnipcartUnavailable when it was cut off or too slow, BadAnswer when it is too large or
        cannot be decompressed.
        """
        if self.problem is not None:
            raise self.problem
        return self.body


def exchange(request: PreparedRequest, settings: Settings) -> Answer:
    """Send a request once and return the answer, whatever its status; redirects are not followed.

    Raises SnipcartUnavailable when no status arrived in time or when there is no place for another call.
    Nothing that the HTTP library raises passes this function, not even as the context of what is raised:
    it would carry the URL with the token, or the key.
    """
    return _transport(settings).exchange(request, settings)


def warm() -> None:
    """Build now what the first call would build, without calling anybody.

    An unusable CA file or proxy is left for the first call to report.
    """
    "".encode("idna")  # the first look-up of a host name would load this codec
    try:
        _transport(get_settings())
    except SnipcartUnavailable:
        return


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """What went wrong, in words that hold nothing of the request."""

    reason: str
    outcome: Outcome
    was_sent: bool = True

    @classmethod
    def of(cls, error: BaseException) -> _Failure:
        causes = list(_causes(error))
        was_sent = not any(isinstance(cause, (ConnectionRefusedError, socket.gaierror)) for cause in causes)
        if any(isinstance(cause, (TimeoutError, Timeout, PoolTimeout)) for cause in causes):
            return cls(reason="it took too long", outcome=Outcome.TIMED_OUT, was_sent=was_sent)
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return cls(reason="there is no trusted TLS connection", outcome=Outcome.LOST)
        reason = _IN_WORDS.get(type(causes[-1]), f"the connection failed ({type(causes[-1]).__name__})")
        return cls(reason=reason, outcome=Outcome.LOST, was_sent=was_sent)


_IN_WORDS: Final[Mapping[type[BaseException], str]] = {
    socket.gaierror: "its name cannot be looked up",
    ConnectionRefusedError: "the connection was refused",
    ConnectionResetError: "the connection was cut",
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    # requests and urllib3 pass on what they wrap as an argument or as "reason". The context would lead
    # further, into whatever our caller may be handling just now.
    yield error
    for cause in (*error.args, getattr(error, "reason", None)):
        if isinstance(cause, BaseException):
            yield from _causes(cause)


class _Transport:
    """The pooled connections and the gate before them."""

    def __init__(self, settings: Settings) -> None:
        cap = settings.max_calls_in_flight
        self._gate = Gate(cap)
        self._adapter = PooledAdapter(ca_bundle=settings.ca_bundle, proxy=settings.proxy, connections=cap)

    def exchange(self, request: PreparedRequest, settings: Settings) -> Answer:
        origin = urlsplit(request.url or "").netloc
        self._gate.enter(origin)
        deadline = current_deadline.set(Deadline(settings.total_timeout))
        outcome = Outcome.LOST
        try:
            answer, failure = self._attempt(request, (settings.connect_timeout, settings.read_timeout))
            outcome = failure.outcome if failure else Outcome.ANSWERED
        finally:
            current_deadline.reset(deadline)
            self._gate.leave(origin, outcome)
        if answer is None:
            reason, was_sent = (failure.reason, failure.was_sent) if failure else ("", True)
            raise SnipcartUnavailable(f"no answer from {origin}: {reason}", was_sent=was_sent)
        return answer

    def _attempt(
        self, request: PreparedRequest, limits: tuple[float, float]
    ) -> tuple[Answer | None, _Failure | None]:
        try:
            response = self._adapter.send(
                request, stream=True, timeout=limits, verify=True, proxies=self._adapter.proxies
            )
        except Exception as error:
            # Every exception out of the library knows the request, so none may pass, however unexpected.
            return None, _Failure.of(error)
        with response:
            return _read(response)


def _read(response: Response) -> tuple[Answer, _Failure | None]:
    status = response.status_code
    limit = MAX_BODY if 200 <= status < 300 else MAX_IGNORED_BODY
    body, failure = b"", None
    problem: SnipcartError | None = None
    try:
        body = response.raw.read(limit + 1, decode_content=True)
    except DecodeError:
        problem = BadAnswer("Snipcart's answer cannot be decompressed", status=status)
    except Exception as error:
        failure = _Failure.of(error)
        problem = SnipcartUnavailable(f"Snipcart's answer broke off: {failure.reason}", status=status)
    if len(body) > limit:
        body, problem = b"", BadAnswer("Snipcart's answer is too large", status=status)
    return Answer(status=status, retry_after=_retry_after(response), body=body, problem=problem), failure


def _retry_after(response: Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return min(int(text), 60) if text.isascii() and text.isdigit() and len(text) < 10 else None


class _Process:
    """The transports of this process, one for each way of reaching Snipcart that its settings ask for."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        # Two processes writing to one kept connection would read each other's answers, and a lock that
        # another thread held while forking would never be released here.
        self.lock = threading.Lock()
        self.transports: dict[tuple[str | None, str | None, int], _Transport] = {}


_process: Final = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.start_anew)


def _transport(settings: Settings) -> _Transport:
    key = (settings.ca_bundle, settings.proxy, settings.max_calls_in_flight)
    transport = _process.transports.get(key) or _build(key, settings)
    if transport is None:
        raise SnipcartUnavailable("CA_BUNDLE cannot be read, or PROXY cannot be used", was_sent=False)
    return transport


def _build(key: tuple[str | None, str | None, int], settings: Settings) -> _Transport | None:
    with _process.lock:
        if key not in _process.transports:
            try:
                _process.transports[key] = _Transport(settings)
            except Exception:  # the library's words may hold the proxy's password
                return None
        return _process.transports[key]
