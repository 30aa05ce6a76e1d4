"""How an answer of Snipcart's is spoiled: late, cut, redirected, truncated, nonsense or an error."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse

from snipcart_checkout.sandbox.conf import get_settings

__all__ = ["SPOILED", "refusal", "spoil_answer", "spoil_delivery"]

SPOILED: Final = (
    *("slow", "timeout", "timeout_after", "cut", "cut_after", "401", "404", "500", "503"),
    *("redirect", "truncated", "wrong_json"),
)
"""The kinds of faults that are known here."""

_ELSEWHERE: Final = "https://elsewhere.invalid/"


def refusal(status: int, message: str) -> HttpResponse:
    """Return an error as Snipcart's API answers it."""
    return JsonResponse({"message": message}, status=status)


def spoil_answer(kind: str, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """Return what is said. ``answer`` is called, so that the thing is done, or it is not, as the kind says."""
    if kind.isdigit():
        return refusal(int(kind), f"A switch of the sandbox says: {kind} {HTTPStatus(int(kind)).phrase}.")
    if kind in {"timeout", "cut"}:
        return HttpResponse()
    if kind == "redirect":
        return HttpResponse(status=302, headers={"Location": _ELSEWHERE})
    answered = answer()
    if kind == "truncated":
        answered.content = answered.content[: len(answered.content) // 2] or b"{"
    elif kind == "wrong_json":
        answered.content = json.dumps([{"unexpected": True}, None, 3.5]).encode()
    return answered


def spoil_delivery(kind: str, request: HttpRequest, answer: HttpResponse) -> None:
    """Let the answer arrive late, or never."""
    if kind == "slow":
        time.sleep(get_settings().slow_seconds)
    if kind in {"timeout", "timeout_after"}:
        time.sleep(get_settings().hang_seconds)
    if kind in {"timeout", "timeout_after", "cut", "cut_after"}:
        _cut(request, answer)


def _cut(request: HttpRequest, answer: HttpResponse) -> None:
    # Where the server leaves us no way to its socket, less is sent than was announced, which is a cut as well.
    answer["Content-Length"] = str(len(answer.content) + 1000)
    connection = _socket_of(request)
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)


def _socket_of(request: HttpRequest) -> socket.socket | None:
    """The connection under a request. WSGI has no word for it, so this knows Django's own server and gunicorn."""
    found = request.META.get("gunicorn.socket")
    if found is None:
        # Django's server wraps the file that its socket was made into.
        file = getattr(getattr(request.META.get("wsgi.input"), "_read", None), "__self__", None)
        found = getattr(getattr(file, "raw", None), "_sock", None)
    return found if isinstance(found, socket.socket) else None
