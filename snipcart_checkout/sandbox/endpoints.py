"""The frame around an endpoint of Snipcart's API: its method, the faults in play, and its entry in the story."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from snipcart_checkout.sandbox.faults import take_fault
from snipcart_checkout.sandbox.gateway import secrets_in_use
from snipcart_checkout.sandbox.guard import View, debug_only
from snipcart_checkout.sandbox.masking import mask, readable_body
from snipcart_checkout.sandbox.sessions import Session
from snipcart_checkout.sandbox.spoiling import SPOILED, refusal, spoil_answer, spoil_delivery
from snipcart_checkout.sandbox.story import Message, tell

__all__ = ["Call", "endpoint"]

_SHOWN_HEADERS: Final = ("Authorization", "Content-Type", "Accept", "User-Agent")


@dataclass(kw_only=True)
class Call:
    """One call of the merchant's while it is answered.

    ``token`` is the one in the path, where there is one. For the story: ``is_good`` after a good answer, ``params``
    to fill its sentence, and ``remark``, a technical sentence in English.
    """

    request: HttpRequest
    token: str = ""
    session: Session | None = None
    is_good: bool = False
    params: dict[str, str] = field(default_factory=dict)
    remark: str = ""

    @property
    def session_id(self) -> str:
        """The id of the session that the call is about, or nothing."""
        return self.session.id if self.session else ""

    def refuse(self, status: int, message: str) -> HttpResponse:
        """Answer an error whose message stands in the story too."""
        self.remark = message
        return refusal(status, message)

    def take_fault(self, name: str, *kinds: str) -> str:
        """Return which of the faults is in play for this call of a name, if any."""
        return take_fault(name, self.session_id, kinds)


def endpoint(
    name: str, method: str, find_session: Callable[[Call], Session | None]
) -> Callable[[Callable[[Call], HttpResponse]], View]:
    """Make a view of a function that answers a call; ``name`` is one of the calls that faults know."""

    def make_view(answer: Callable[[Call], HttpResponse]) -> View:
        @csrf_exempt
        @debug_only
        @wraps(answer)
        def view(request: HttpRequest, token: str = "") -> HttpResponse:
            call = Call(request=request, token=token)
            if request.method != method:
                answered = call.refuse(405, f"The method has to be {method}, not {request.method}.")
                answered["Allow"] = method
                return answered
            call.session = find_session(call)
            return _answer(name, call, answer)

        return view

    return make_view


def _answer(name: str, call: Call, answer: Callable[[Call], HttpResponse]) -> HttpResponse:
    begun = time.monotonic()
    fault = call.take_fault(name, *SPOILED)
    answered = spoil_answer(fault, lambda: answer(call)) if fault else answer(call)
    _tell(name, call, answered, fault, round((time.monotonic() - begun) * 1000))
    # Told first: what hangs for long seconds should not be missing from the story meanwhile.
    spoil_delivery(fault, call.request, answered)
    return answered


def _tell(name: str, call: Call, answered: HttpResponse, fault: str, milliseconds: int) -> None:
    outcome = "ok" if call.is_good else "refused"
    done = call.is_good or bool(call.remark)
    tell(
        f"{name}_{outcome}" if done else "answer_spoiled",
        session_id=call.session_id,
        number=call.session.number if call.session else 0,
        exchange=(_request_message(call.request), _answer_message(answered, fault)),
        milliseconds=milliseconds,
        fault=fault,
        remark=call.remark,
        **call.params,
    )


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


def _answer_message(answered: HttpResponse, fault: str) -> Message:
    if fault in {"timeout", "timeout_after", "cut", "cut_after"}:
        return Message(line="(the connection ended without an answer)")
    return Message(
        line=f"HTTP {answered.status_code} {answered.reason_phrase}",
        headers={name: mask(answered[name]) for name in ("Content-Type", "Location") if name in answered},
        body=readable_body(answered.content),
    )
