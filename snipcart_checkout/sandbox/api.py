"""Snipcart's API as the merchant's server sees it: three endpoints of the gateway, and the check of request tokens."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Any, Final

from django.http import HttpResponse, JsonResponse

from snipcart_checkout.sandbox.carts import add_one_more
from snipcart_checkout.sandbox.contract import confirmation_problem
from snipcart_checkout.sandbox.endpoints import Call, endpoint
from snipcart_checkout.sandbox.gateway import get_half, mode_of_api_key
from snipcart_checkout.sandbox.sessions import (
    ConfirmationRefused,
    Session,
    change_session,
    confirm,
    get_session,
    read_session,
)
from snipcart_checkout.sandbox.story import tell
from snipcart_checkout.sandbox.tokens import read_token

__all__ = ["payment", "payment_session", "request_validation", "validate"]

_MAX_BODY: Final = 100_000


def _session_of_public_token(call: Call) -> Session | None:
    token = read_token(call.request.GET.get("publicToken", ""), "public")
    return get_session(token.session_id) if token else None


def _session_of_body(call: Call) -> Session | None:
    try:
        body = json.loads(call.request.body)
    except (ValueError, RecursionError):
        return None
    identifier = body.get("paymentSessionId") if isinstance(body, dict) else None
    return get_session(identifier) if isinstance(identifier, str) else None


def _session_of_request_token(call: Call) -> Session | None:
    token = read_token(call.token, "request")
    return get_session(token.session_id) if token else None


@endpoint("validate", "GET", _session_of_public_token)
def validate(call: Call) -> HttpResponse:
    """Tell whether a public token is genuine. The body of a good answer is not documented, so it is empty."""
    return _token_refusal(call, "validate") or _open_to_browsers(_good(call, HttpResponse()))


@endpoint("session", "GET", _session_of_public_token)
def payment_session(call: Call) -> HttpResponse:
    """Return the payment session of a public token."""
    if refused := _token_refusal(call, "session"):
        return refused
    session = call.session
    if session is None:
        return call.refuse(404, "The payment session is not known.")
    invoice = session.current_invoice
    answer = JsonResponse(read_session(session), json_dumps_params={"ensure_ascii": False})
    if call.take_fault("session", "cart_changed"):
        add_one_more(session.cart_id)
        tell("cart_changed", session_id=session.id, number=session.number, fault="cart_changed")
    return _open_to_browsers(_good(call, answer, amount=str(invoice.amount), currency=invoice.currency))


def _token_refusal(call: Call, name: str) -> HttpResponse | None:
    if len(call.request.GET.getlist("publicToken")) != 1:
        return call.refuse(400, "The query string has to hold 'publicToken', once.")
    if call.session is None:
        return call.refuse(
            404, "The token is forged, has expired, or belongs to a session that is forgotten."
        )
    if call.take_fault(name, "expired"):
        call.session = change_session(call.session.id, expired=True)
    return call.refuse(404, "The payment session has expired.") if call.session.expired else None


@endpoint("payment", "POST", _session_of_body)
def payment(call: Call) -> HttpResponse:
    """Take the merchant's word on what came of a payment ("Create payment" of Snipcart's reference)."""
    body, refused = _read_confirmation(call)
    if refused is not None:
        return refused
    if call.session is None:
        hint = (
            " That is a token; the id of the session is wanted."
            if _is_token(body["paymentSessionId"])
            else ""
        )
        return call.refuse(404, f"No payment session has the id in 'paymentSessionId'.{hint}")
    if mode_of_api_key(_bearer_key(call)) != call.session.mode:
        return call.refuse(403, f"The key belongs to the other mode; this is a {call.session.mode} session.")
    return _confirm(call, call.session, body)


def _read_confirmation(call: Call) -> tuple[dict[str, Any], HttpResponse | None]:
    if problem := _key_problem(call):
        return {}, call.refuse(401, problem)
    if call.request.content_type != "application/json":
        return {}, call.refuse(415, "The content type has to be application/json.")
    if len(call.request.body) > _MAX_BODY:
        return {}, call.refuse(413, "The body is too long.")
    try:
        body = json.loads(call.request.body)
    except (ValueError, RecursionError):
        return {}, call.refuse(400, "The body is not JSON.")
    wrong = confirmation_problem(body)
    return body, call.refuse(400, wrong) if wrong else None


def _key_problem(call: Call) -> str:
    key = _bearer_key(call)
    if not key:
        return "The header 'Authorization: Bearer KEY' is missing, with one of the gateway's API keys."
    mode = mode_of_api_key(key)
    if not mode:
        return "The key is none of the gateway's API keys. The store's secret key does not work here."
    first_key = get_half(mode).api_keys[0]
    if key == first_key and call.take_fault("payment", "key_revoked"):
        return "The key has been revoked."
    return ""


def _bearer_key(call: Call) -> str:
    scheme, _, key = call.request.headers.get("Authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else ""


def _is_token(text: str) -> bool:
    return text.count(".") == 2


def _confirm(call: Call, session: Session, body: dict[str, Any]) -> HttpResponse:
    # Asked for only where there can be a repeat, so that the switch does not go off on the first confirmation.
    refused = bool(session.told) and bool(call.take_fault("payment", "repeat_refused"))
    try:
        call.session = confirm(session, body, repeats_refused=refused)
    except ConfirmationRefused as error:
        return call.refuse(error.status, str(error))
    return _good(call, JsonResponse({"returnUrl": session.return_url}), state=body["state"])


@endpoint("requestvalidation", "GET", _session_of_request_token)
def request_validation(call: Call) -> HttpResponse:
    """Tell whether a request token came from Snipcart: Basic authentication with the store's secret key as user."""
    token = read_token(call.token, "request")
    mode = token.mode if token else ""
    user, password = _basic_credentials(call)
    if (
        token
        and hmac.compare_digest(user.encode(), get_half(mode).store_secret_key.encode())
        and not password
    ):
        return _good(call, JsonResponse({"token": call.token}))
    if not user:
        return call.refuse(401, "Basic authentication with the store's secret key as user is missing.")
    if token is None:
        return call.refuse(404, "The token is forged or has expired; it lives for an hour.")
    return call.refuse(
        401, f"The user is not the secret key of the {mode} store, or the password is not empty."
    )


def _basic_credentials(call: Call) -> tuple[str, str]:
    scheme, _, encoded = call.request.headers.get("Authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    user, _, password = decoded.partition(":")
    return (user, password) if scheme.lower() == "basic" else ("", "")


def _good(call: Call, answer: HttpResponse, **params: str) -> HttpResponse:
    call.is_good = True
    call.params = params
    return answer


def _open_to_browsers(answer: HttpResponse) -> HttpResponse:
    # The reference lets the checkout page call these two from the browser.
    answer["Access-Control-Allow-Origin"] = "*"
    return answer
