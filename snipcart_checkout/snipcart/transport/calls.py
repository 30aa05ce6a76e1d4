"""One call to a remote: a prepared request in, a status and a body out, within every limit."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, Timeout
from urllib3.exceptions import DecodeError
from urllib3.exceptions import TimeoutError as PoolTimeout

from snipcart_checkout.conf import Settings
from snipcart_checkout.snipcart.transport.connections import PooledAdapter, is_urllib3_genuine
from snipcart_checkout.snipcart.transport.remotes import NoSlot, Remote
from snipcart_checkout.snipcart.transport.time_limits import CallInProgress, current_call, seconds_left

MAX_BODY: Final = 2 * 1024 * 1024
"""The most bytes of a body after decompression; about ten times the largest order that is accepted."""


class Failure(Enum):
    """What a connection failed of, in words."""

    TOO_SLOW = "it took too long"
    NO_TLS = "there is no trusted TLS connection"
    NO_NAME = "its name cannot be looked up"
    REFUSED = "the connection was refused"
    CUT = "the connection was cut"
    OTHER = "the connection failed"


class NoAnswer(Exception):
    """No status arrived. The text contains nothing of the request.

    ``was_sent`` says whether the first byte of the request was written. ``retry_after`` is in seconds.
    ``failure`` is None where no connection was tried.
    """

    def __init__(
        self, reason: str, *, was_sent: bool, retry_after: int = 5, failure: Failure | None = None
    ) -> None:
        super().__init__(reason)
        self.was_sent = was_sent
        self.retry_after = retry_after
        self.failure = failure


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a remote answered. ``problem`` says why the body is incomplete, and is empty when it is
    complete.

    ``is_cut``: the connection failed during the answer, so a retry may succeed.
    """

    response: Response
    body: bytes = field(default=b"", repr=False)
    problem: str = ""
    is_cut: bool = False


def send(
    request: PreparedRequest, remote: Remote, settings: Settings, *, max_error_body: int = MAX_BODY
) -> Reply:
    """Send a request once and return the answer, whatever its status; redirects are not followed.

    ``max_error_body`` is the most bytes that are read of an answer that is not 2xx. Raises NoAnswer
    when no status arrived in time, when no time or no slot is left, or while the circuit is open.
    No exception of the HTTP library leaves this function, not even as a context: it would contain
    the URL with a token, or the key.
    """
    adapter = _adapter(remote)
    seconds = seconds_left(settings.total_timeout)
    if seconds <= 0:
        raise NoAnswer("no time is left for it", was_sent=False)
    try:
        with remote.slot():
            return _send_unless_down(request, remote, adapter, _Limits.of(settings, seconds, max_error_body))
    except NoSlot:
        pass
    raise NoAnswer("too many calls are under way", was_sent=False, retry_after=1)


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """Seconds and bytes."""

    connect: float
    read: float
    total: float
    max_error_body: int

    @classmethod
    def of(cls, settings: Settings, total: float, max_error_body: int) -> _Limits:
        return cls(
            connect=settings.connect_timeout,
            read=settings.read_timeout,
            total=total,
            max_error_body=max_error_body,
        )


def _adapter(remote: Remote) -> PooledAdapter:
    if not is_urllib3_genuine():
        raise NoAnswer(
            "urllib3-future is installed over urllib3, and no call is made with it", was_sent=False
        )
    with contextlib.suppress(Exception):  # the library's text may contain the proxy's password
        return remote.adapter()
    raise NoAnswer("CA_BUNDLE cannot be read, or PROXY cannot be used", was_sent=False)


def _send_unless_down(
    request: PreparedRequest, remote: Remote, adapter: PooledAdapter, limits: _Limits
) -> Reply:
    origin = urlsplit(request.url or "").netloc.rpartition("@")[2]
    if not remote.breaker.allow(origin):
        raise NoAnswer(
            f"{origin} cannot be reached; another call is finding out whether it is back", was_sent=False
        )
    answered = False
    call = CallInProgress(limits.total)
    token = current_call.set(call)
    try:
        result = _attempt(request, adapter, limits)
        answered = isinstance(result, Reply) and not result.is_cut
    finally:
        current_call.reset(token)
        remote.breaker.record(origin, answered=answered)
    if isinstance(result, Reply):
        return result
    raise NoAnswer(
        f"no answer from {origin}: {result.reason}", was_sent=call.was_sent, failure=result.failure
    )


@dataclass(frozen=True, kw_only=True)
class _Failed:
    failure: Failure
    reason: str

    @classmethod
    def of(cls, error: BaseException) -> _Failed:
        """Describe the error, with nothing of the request."""
        causes = list(_causes(error))
        failure = _to_failure(causes)
        last = f" ({type(causes[-1]).__name__})" if failure is Failure.OTHER else ""
        return cls(failure=failure, reason=f"{failure.value}{last}")


def _attempt(request: PreparedRequest, adapter: PooledAdapter, limits: _Limits) -> Reply | _Failed:
    timeouts = (limits.connect, limits.read)
    try:
        response = adapter.send(request, stream=True, timeout=timeouts, verify=True, proxies=adapter.proxies)
    except Exception as error:
        # Every exception of the library refers to the request, so none may pass, expected or not.
        _note_unwatched(error)
        return _Failed.of(error)
    with response:
        return _read(response, limits)


def _note_unwatched(error: BaseException) -> None:
    """Take the error's word for whether the request was sent, where none of our connections could watch it.

    Tracers and fakes of the HTTP library may stand in for those.
    """
    call = current_call.get()
    if not call.is_watched and not isinstance(error, ConnectTimeout):
        call.was_sent = any(isinstance(cause, _AFTER_SENDING) for cause in _causes(error))


def _read(response: Response, limits: _Limits) -> Reply:
    limit = MAX_BODY if 200 <= response.status_code < 300 else limits.max_error_body
    try:
        body = response.raw.read(limit + 1, decode_content=True)
    except DecodeError:
        return Reply(response=response, problem="it cannot be decompressed")
    except Exception as error:
        return Reply(response=response, problem=_Failed.of(error).reason, is_cut=True)
    if len(body) > limit:
        return Reply(response=response, problem="it is too large")
    return Reply(response=response, body=body)


_AFTER_SENDING: Final = (Timeout, ChunkedEncodingError, ConnectionResetError, BrokenPipeError)
_FAILURES: Final[Mapping[type[BaseException], Failure]] = {
    socket.gaierror: Failure.NO_NAME,
    ConnectionRefusedError: Failure.REFUSED,
    ConnectionResetError: Failure.CUT,
}


def _to_failure(causes: Sequence[BaseException]) -> Failure:
    if any(isinstance(cause, (TimeoutError, Timeout, PoolTimeout)) for cause in causes):
        return Failure.TOO_SLOW
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Failure.NO_TLS
    return _FAILURES.get(type(causes[-1]), Failure.OTHER)


def _causes(error: BaseException) -> Iterator[BaseException]:
    # requests and urllib3 pass on what they wrap as an argument or as "reason". ``__context__``
    # would lead further, to an exception that our caller is handling.
    yield error
    for cause in (*error.args, getattr(error, "reason", None)):
        if isinstance(cause, BaseException):
            yield from _causes(cause)
