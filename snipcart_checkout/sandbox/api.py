"""Snipcart's API over Django: a request goes to Snipcart, and its answer comes back, or does not."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from snipcart_checkout.sandbox.activity import Message, log_activity
from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.core.api import Answer
from snipcart_checkout.sandbox.core.wire import Reply, Request, Wire
from snipcart_checkout.sandbox.gateway import secrets_in_use
from snipcart_checkout.sandbox.masking import mask, readable_body
from snipcart_checkout.sandbox.pages import debug_only
from snipcart_checkout.sandbox.snipcart import get_snipcart

_SHOWN_HEADERS: Final = ("Authorization", "Content-Type", "Accept", "User-Agent")


@csrf_exempt
@debug_only
def api(request: HttpRequest, path: str) -> HttpResponse:
    """Answer a call of the merchant's server; ``path`` is what follows ``api/``."""
    begun = time.monotonic()
    answer = get_snipcart().answer(_read_request(request, path))
    # Logged first: what hangs for long seconds should not be missing from the log meanwhile.
    _log(request, answer, round((time.monotonic() - begun) * 1000))
    return _deliver(request, answer)


def _read_request(request: HttpRequest, path: str) -> Request:
    return Request(
        method=request.method or "",
        path=f"/api/{path}",
        query={name: [str(value) for value in values] for name, values in request.GET.lists()},
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
    )


def _log(request: HttpRequest, answer: Answer, milliseconds: int) -> None:
    outcome = "failed" if answer.is_ignored else "refused" if answer.problem else "ok"
    log_activity(
        f"{answer.endpoint}_{outcome}" if answer.endpoint else "_refused",
        answer.session,
        exchange=(_request_message(request), _answer_message(answer)),
        milliseconds=milliseconds,
        fault=answer.planned.name if answer.planned else "",
        remark=answer.problem,
        **_params(answer),
    )


def _params(answer: Answer) -> Mapping[str, str]:
    session = answer.session
    if session is None:
        return {}
    amount = session.invoice.amount if session.amount_read is None else session.amount_read
    return {"amount": str(amount), "currency": session.invoice.currency, "state": session.state}


def _request_message(request: HttpRequest) -> Message:
    secrets = secrets_in_use()
    # Django's own server makes up a content type where there is no content.
    shown = {
        name: request.headers[name]
        for name in _SHOWN_HEADERS
        if request.headers.get(name) and (request.body or name != "Content-Type")
    }
    return Message(
        line=mask(f"{request.method} {request.get_full_path()}", secrets),
        headers={name: _header(name, value, secrets) for name, value in shown.items()},
        body=readable_body(request.body, secrets),
    )


def _header(name: str, value: str, secrets: list[str]) -> str:
    if name != "Authorization":
        return mask(value, secrets)
    # Not only the keys that we know: somebody may have sent a real one here by mistake.
    scheme, _, key = value.partition(" ")
    return f"{scheme} …{key[-4:]}" if key else "…"


def _answer_message(answer: Answer) -> Message:
    if answer.planned and answer.planned.fault.send:
        return Message(line="(no whole answer was sent)")
    response = _response(answer.reply)
    return Message(
        line=f"HTTP {response.status_code} {response.reason_phrase}",
        headers={name: mask(response[name]) for name in ("Content-Type", "Location") if name in response},
        body=readable_body(answer.reply.body),
    )


def _deliver(request: HttpRequest, answer: Answer) -> HttpResponse:
    if answer.planned is None:
        return _response(answer.reply)
    fault, settings = answer.planned.fault, get_settings()
    seconds = settings.slow_seconds if answer.planned.name == "slow" else settings.hang_seconds
    connection = _get_socket(request)
    if fault.send and connection:
        fault.deliver(Wire(connection=connection), answer.reply, seconds)
        return HttpResponse()
    if fault.waits:
        time.sleep(seconds)
    response = _response(answer.reply)
    if fault.send:
        # Where the server leaves us no way to its socket, less is sent than was announced, which is a cut as well.
        response["Content-Length"] = str(len(response.content) + 1000)
    return response


def _response(reply: Reply) -> HttpResponse:
    return HttpResponse(reply.body, status=reply.status, headers=dict(reply.headers))


def _get_socket(request: HttpRequest) -> socket.socket | None:
    """The connection under a request. WSGI has no word for it, so this knows Django's own server and gunicorn."""
    connection = request.META.get("gunicorn.socket")
    if connection is None:
        # Django's server wraps the file that its socket was made into.
        file = getattr(getattr(request.META.get("wsgi.input"), "_read", None), "__self__", None)
        connection = getattr(getattr(file, "raw", None), "_sock", None)
    return connection if isinstance(connection, socket.socket) else None
