"""What Snipcart answers on its four endpoints, and what it remembers of it."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from snipcart_checkout.sandbox.contract import confirmation_problem
from snipcart_checkout.testing.faults import Reply
from snipcart_checkout.testing.orders import StandInSession
from snipcart_checkout.testing.server import Request

__all__ = ["ENDPOINTS", "Endpoints", "endpoint_of"]

_GATEWAY: Final = "/custom-payment-gateway"
_REQUEST_VALIDATION: Final = "/api/requestvalidation/"
_PATHS: Final[Mapping[tuple[str, str], str]] = {
    ("GET", f"/api/public{_GATEWAY}/validate"): "validate",
    ("GET", f"/api/public{_GATEWAY}/payment-session"): "payment-session",
    ("POST", f"/api/private{_GATEWAY}/payment"): "payment",
}
_MAY_FOLLOW: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"processing", "processed", "failed", "invalidated"}),
    "processing": frozenset({"processed", "failed", "invalidated"}),
}
ENDPOINTS: Final = (*_PATHS.values(), "requestvalidation")
"""Snipcart's endpoints, by the last constant segment of their paths."""


def endpoint_of(request: Request) -> str:
    """Return which endpoint a request is for; empty when Snipcart has none there."""
    if request.method == "GET" and request.path.startswith(_REQUEST_VALIDATION):
        return "requestvalidation"
    return _PATHS.get((request.method, request.path), "")


@dataclass(kw_only=True)
class Endpoints:
    """Snipcart's memory and manners. Not safe for threads by itself: its owner holds a lock around it."""

    shop_url: str
    api_keys: Container[str] | None = None
    secret_keys: Container[str] | None = None
    accepts_repeats: bool = True
    revoked: set[str] = field(default_factory=set)
    sessions: dict[str, StandInSession] = field(default_factory=dict)
    tokens: dict[str, StandInSession] = field(default_factory=dict)
    request_tokens: set[str] = field(default_factory=set)
    confirmations: list[dict[str, Any]] = field(default_factory=list)

    def add(self, session: StandInSession) -> None:
        """Remember a session and issue its token."""
        session.public_token = self.new_token(session)
        self.sessions[session.id] = session

    def new_token(self, session: StandInSession) -> str:
        """Issue one more public token for a session, as long as Snipcart's, which are JWTs."""
        claims = base64.urlsafe_b64encode(json.dumps({"id": session.id}).encode()).decode().rstrip("=")
        token = f"eyJhbGciOiJIUzI1NiJ9.{claims}.{secrets.token_urlsafe(32)}"
        self.tokens[token] = session
        return token

    def new_request_token(self) -> str:
        """Issue a token for the header of a webhook."""
        token = secrets.token_hex(16)
        self.request_tokens.add(token)
        return token

    def reply(self, request: Request) -> Reply:
        """Do what is asked and return the answer."""
        handlers: dict[str, Callable[[Request], Reply]] = {
            "validate": self._validate,
            "payment-session": self._payment_session,
            "payment": self._payment,
            "requestvalidation": self._request_validation,
        }
        handler = handlers.get(endpoint_of(request))
        return handler(request) if handler else _refusal(404, "There is no such endpoint.")

    def _session_of(self, request: Request) -> StandInSession | None:
        tokens = request.query.get("publicToken", [])
        session = self.tokens.get(tokens[0]) if len(tokens) == 1 else None
        return None if session is None or session.expired else session

    def _validate(self, request: Request) -> Reply:
        if self._session_of(request) is None:
            return _refusal(404, "The public token is not known.")
        return Reply(status=200)  # the body is undocumented, so there is none

    def _payment_session(self, request: Request) -> Reply:
        session = self._session_of(request)
        if session is None:
            return _refusal(404, "The public token is not known.")
        return Reply.of_json(200, session.to_json())

    def _payment(self, request: Request) -> Reply:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not _is_known(key, self.api_keys) or key in self.revoked:
            return _refusal(401, "The gateway's API key is missing, unknown or revoked.")
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _refusal(415, "The content type has to be application/json.")
        try:
            body = json.loads(request.body)
        except ValueError:
            return _refusal(400, "The body is not JSON.")
        return self._confirm(body)

    def _confirm(self, body: Any) -> Reply:
        problem = confirmation_problem(body)
        if problem:
            return _refusal(400, problem)
        session = self.sessions.get(body["paymentSessionId"])
        if session is None:
            return _refusal(404, "The payment session is not known.")
        is_repeat = body in session.confirmations
        if is_repeat and self.accepts_repeats:
            return self._way_to_the_order(session)
        if is_repeat or body["state"] not in _MAY_FOLLOW.get(session.state, ()):
            return _refusal(400, f"The payment session is already {session.state}.")
        session.confirmations.append(body)
        self.confirmations.append(body)
        return self._way_to_the_order(session)

    def _way_to_the_order(self, session: StandInSession) -> Reply:
        return Reply.of_json(200, {"returnUrl": f"{self.shop_url}/#/order/{session.id}"})

    def _request_validation(self, request: Request) -> Reply:
        if not self._has_secret_key(request.headers.get("authorization", "")):
            return _refusal(401, "The store's secret API key is missing or unknown.")
        token = unquote(request.path.removeprefix(_REQUEST_VALIDATION))
        if token not in self.request_tokens:
            return _refusal(404, "The request token is not known.")
        return Reply.of_json(200, {"token": token, "resource": "/"})

    def _has_secret_key(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme == "Basic" and password == "" and _is_known(user, self.secret_keys)


def _is_known(key: str, known: Container[str] | None) -> bool:
    return bool(key) and (known is None or key in known)


def _refusal(status: int, message: str) -> Reply:
    return Reply.of_json(status, {"message": message})
