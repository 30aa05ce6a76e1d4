"""What a backend and its provider say to each other, recorded or changed below ``requests``.

It works for every backend whose calls go through ``self.http`` or any other session of ``requests``, and on top of
whatever stands in for the provider: a server on this machine, or the ``responses`` package.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from snipcart_checkout.testing.server import Request, Server, Wire

__all__ = [
    "ProviderAnswer",
    "alter_answers",
    "hang_up",
    "lose_answer",
    "record_answers",
    "replace_answers",
    "replay_answers",
    "stall",
]

_SEND: Final = HTTPAdapter.send
_STALL: Final = 5.0  # seconds after which a call that has no limit of its own is let go


@dataclass(frozen=True, kw_only=True)
class ProviderAnswer:
    """An answer of a provider, decompressed."""

    status: int
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


@dataclass
class Calls:
    """How many calls were made, and how many of them were interfered with."""

    made: int = 0
    changed: int = 0


_Send = Callable[[PreparedRequest], Response]
_Interference = Callable[[PreparedRequest, _Send], Response]


@contextmanager
def record_answers() -> Iterator[list[ProviderAnswer]]:
    """Collect every answer, in order, while calls go on as usual."""
    answers: list[ProviderAnswer] = []

    def record(request: PreparedRequest, send: _Send) -> Response:
        answers.append(_read(send(request)))
        return _to_response(request, answers[-1])

    with _interfering(record):
        yield answers


@contextmanager
def replace_answers(
    answer: Callable[[PreparedRequest], ProviderAnswer] | ProviderAnswer, *, start: int = 0
) -> Iterator[Calls]:
    """Answer the calls from number ``start`` on (the first is 0) without asking the provider."""
    calls = Calls()

    def replace(request: PreparedRequest, send: _Send) -> Response:
        calls.made += 1
        if calls.made <= start:
            return send(request)
        calls.changed += 1
        return _to_response(request, answer(request) if callable(answer) else answer)

    with _interfering(replace):
        yield calls


@contextmanager
def replay_answers(answers: Sequence[ProviderAnswer]) -> Iterator[Calls]:
    """Answer the calls one after the other with recorded answers; cut the connection when there are no more."""
    calls = Calls()

    def replay(request: PreparedRequest, _send: _Send) -> Response:
        calls.made += 1
        if calls.made > len(answers):
            raise requests.ConnectionError("the recorded answers are used up")
        calls.changed += 1
        return _to_response(request, answers[calls.made - 1])

    with _interfering(replay):
        yield calls


@contextmanager
def alter_answers(change: Callable[[bytes], bytes]) -> Iterator[Calls]:
    """Change the bodies of answers on their way."""
    calls = Calls()

    def alter(request: PreparedRequest, send: _Send) -> Response:
        calls.made += 1
        answer = _read(send(request))
        body = change(answer.body)
        calls.changed += body != answer.body
        return _to_response(
            request, ProviderAnswer(status=answer.status, body=body, headers=_unsized(answer))
        )

    with _interfering(alter):
        yield calls


@contextmanager
def lose_answer(number: int) -> Iterator[Calls]:
    """Let the provider act on every call, and cut the connection before the answer to one (the first is 0)."""
    calls = Calls()

    def lose(request: PreparedRequest, send: _Send) -> Response:
        calls.made += 1
        answer = send(request)
        if calls.made != number + 1:
            return answer
        calls.changed += 1
        raise requests.ConnectionError("the connection was cut")

    with _interfering(lose):
        yield calls


@contextmanager
def hang_up() -> Iterator[Calls]:
    """Refuse every connection, so that nothing reaches the provider."""
    calls = Calls()

    def refuse(_request: PreparedRequest, _send: _Send) -> Response:
        calls.made += 1
        calls.changed += 1
        raise requests.ConnectionError("the connection was refused")

    with _interfering(refuse):
        yield calls


@contextmanager
def stall(*, drip: bool = False) -> Iterator[Calls]:
    """Lead every call to a server that never answers, or that sends a byte of its answer now and then."""
    calls = Calls()

    def answer(_request: Request, wire: Wire) -> bool:
        if drip:
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n")
            wire.drip(b" " * 400)
        else:
            wire.stopped.wait(_STALL)
        return False

    def lead_astray(adapter: HTTPAdapter, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        calls.made += 1
        calls.changed += 1
        astray = request.copy()
        astray.url = f"{server.url}{urlsplit(request.url or '').path}"
        return _SEND(adapter, astray, *args, **kwargs)

    server = Server(answer)
    server.start()
    try:
        with patch.object(HTTPAdapter, "send", lead_astray):
            yield calls
    finally:
        server.stop()


@contextmanager
def _interfering(interference: _Interference) -> Iterator[None]:
    inner = HTTPAdapter.send

    def send(adapter: HTTPAdapter, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        return interference(request, lambda passed: inner(adapter, passed, *args, **kwargs))

    with patch.object(HTTPAdapter, "send", send):
        yield


def _read(response: Response) -> ProviderAnswer:
    return ProviderAnswer(
        status=response.status_code, body=response.content, headers=tuple(response.headers.items())
    )


def _unsized(answer: ProviderAnswer) -> tuple[tuple[str, str], ...]:
    """Return the headers without those that are true of the bytes on the wire only."""
    of_wire = {"content-encoding", "content-length", "transfer-encoding"}
    return tuple((name, value) for name, value in answer.headers if name.lower() not in of_wire)


def _to_response(request: PreparedRequest, answer: ProviderAnswer) -> Response:
    response = Response()
    response.status_code = answer.status
    response.headers.update(_unsized(answer))
    response.raw = HTTPResponse(
        body=io.BytesIO(answer.body),
        headers=dict(_unsized(answer)),
        status=answer.status,
        preload_content=False,
    )
    response.url = request.url or ""
    response.request = request
    return response
