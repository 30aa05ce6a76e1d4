"""Snipcart's API: the three endpoints of the gateway, and the check of request tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import unquote

from snipcart_checkout.sandbox.core.contract import confirmation_problem
from snipcart_checkout.sandbox.core.fault_injection import FaultInjection, PlannedFault
from snipcart_checkout.sandbox.core.memory import Memory
from snipcart_checkout.sandbox.core.sessions import ConfirmationRefused, Refund, Session
from snipcart_checkout.sandbox.core.tokens import HOUR, Token, Tokens
from snipcart_checkout.sandbox.core.wire import Reply, Request

_PUBLIC: Final = "/api/public/custom-payment-gateway"
_REQUEST_VALIDATION: Final = "/api/requestvalidation/"
_PATHS: Final = {
    f"{_PUBLIC}/validate": "validate",
    f"{_PUBLIC}/payment-session": "payment-session",
    "/api/private/custom-payment-gateway/payment": "payment",
}
# The reference lets the checkout page call these two from the browser.
_OPEN_TO_BROWSERS: Final = (("Access-Control-Allow-Origin", "*"),)
_MAX_BODY: Final = 100_000  # bytes
_MAX_LISTED: Final = 1000
_S = TypeVar("_S", bound=Session)


class Gateway(Protocol):
    """The keys that a merchant has at Snipcart. An empty ``mode`` means that the key may be of any."""

    def accepts_api_key(self, key: str, mode: str) -> bool:
        """Whether this is one of the gateway's API keys."""

    def accepts_secret_key(self, key: str, mode: str) -> bool:
        """Whether this is the store's secret key."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Snipcart answers to a call.

    ``endpoint`` is empty for a path that Snipcart does not have. ``session`` is what the call was about, where that
    can be known. ``planned`` is the fault that happens to it. ``problem`` says in English why it was refused.
    """

    reply: Reply
    endpoint: str = ""
    session: Session | None = None
    planned: PlannedFault | None = None
    problem: str = ""

    @property
    def is_ignored(self) -> bool:
        """Whether Snipcart did nothing of what it was asked, because of a fault."""
        return self.planned is not None and not self.planned.fault.acts


@dataclass(frozen=True, kw_only=True)
class _Call(Generic[_S]):
    """A request, with what can be read from it before it is checked."""

    request: Request
    endpoint: str
    session: _S | None
    body: Any = None
    fault: str = ""

    @property
    def credentials(self) -> tuple[str, str]:
        """The scheme in lower case and the credentials of the header Authorization."""
        scheme, _, text = self.request.headers.get("authorization", "").partition(" ")
        return scheme.lower(), text

    @property
    def api_key(self) -> str:
        scheme, key = self.credentials
        return key if scheme == "bearer" else ""

    @property
    def request_token(self) -> str:
        return unquote(self.request.path.removeprefix(_REQUEST_VALIDATION))


class _Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, problem: str, *headers: tuple[str, str]) -> None:
        super().__init__(problem)
        self.status = status
        self.headers = headers


class Snipcart(Generic[_S]):
    """Snipcart, without pages and without network: it takes requests and returns answers.

    A subclass may override ``add_to_cart`` and ``change_currency`` where it knows more of carts than an invoice.
    """

    def __init__(
        self, *, memory: Memory, tokens: Tokens, gateway: Gateway, accepts_repeats: bool = True
    ) -> None:
        self._memory = memory
        self._tokens = tokens
        self._gateway = gateway
        self.accepts_repeats = accepts_repeats
        self.faults = FaultInjection(memory)

    @property
    def sessions(self) -> list[_S]:
        """The sessions of which something is still known, in the order in which they began."""
        sessions = map(self.get_session, self._memory.load("sessions", []))
        return [session for session in sessions if session is not None]

    def get_session(self, identifier: str) -> _S | None:
        """Return a session by its id."""
        session: _S | None = self._memory.load(f"session.{identifier}")
        return session

    def add(self, session: _S) -> None:
        """Remember a new session."""
        with self._memory.lock:
            self._memory.save(f"session.{session.id}", session)
            self._memory.save("sessions", [*self._memory.load("sessions", []), session.id][-_MAX_LISTED:])

    def update(self, session: _S, **changes: Any) -> _S:
        """Write fields of a session; return it as it is now."""
        with self._memory.lock:
            current = self.get_session(session.id) or session
            for name, value in changes.items():
                setattr(current, name, value)
            self._memory.save(f"session.{session.id}", current)
            return current

    def change(self, session: _S, **fields: Any) -> None:
        """Replace fields of the invoice. An amount without lines of its own keeps the lines as they are."""
        if "amount" in fields:
            fields["amount"] = Decimal(fields["amount"])
        with self._memory.lock:
            current = self.get_session(session.id) or session
            self.update(session, invoice=replace(current.invoice, **fields))

    def add_to_cart(self, session: _S) -> None:
        """Put one more of the first product into the cart, as a shopper does in another tab."""
        invoice = session.invoice
        first, *others = invoice.lines
        more = replace(first, quantity=first.quantity + 1)
        self.change(session, amount=invoice.amount + first.unit_price, lines=[more, *others])

    def change_currency(self, session: _S) -> None:
        """Choose another currency for the cart."""
        self.change(session, currency="USD" if session.invoice.currency.upper() != "USD" else "EUR")

    def expire(self, session: _S, status: int = 410) -> None:
        """Refuse every token of the session with this HTTP status; it can still be confirmed."""
        self.update(session, refused_with=status)

    def revive(self, session: _S) -> None:
        """Accept the tokens of an expired session again."""
        self.update(session, refused_with=0)

    def new_token(self, session: _S) -> str:
        """Issue a public token; the one on the checkout page is not the webhook's."""
        return self._tokens.issue(Token(purpose="public", session_id=session.id, mode=session.mode))

    def new_request_token(self, session: _S | None = None) -> str:
        """Issue a value for the header X-Snipcart-RequestToken, which lives for an hour."""
        named = {"session_id": session.id, "mode": session.mode} if session else {}
        return self._tokens.issue(Token(purpose="request", **named), lifetime=HOUR)

    def _record(self, session: _S, body: dict[str, Any], *, accepts_repeats: bool) -> None:
        """Record a confirmation that keeps to the contract. Raises ConfirmationRefused."""
        session.confirm(body, accepts_repeats=accepts_repeats)
        self.update(session, confirmations=session.confirmations)

    def add_refund(self, session: _S, refund: Refund) -> None:
        """Record what came of a refund."""
        with self._memory.lock:
            current = self.get_session(session.id) or session
            self.update(session, refunds=[*current.refunds, refund])

    def answer(self, request: Request) -> Answer:
        """Do what is asked, or fail as it was planned, and return what to send."""
        with self._memory.lock:
            call = self._read(request)
            planned = self._take_fault(call)
            if planned is None:
                reply, problem = self._reply(call)
            elif planned.fault.acts:
                reply, problem = self._reply_amid(call, planned.name)
            else:
                reply, problem = Reply(status=200), ""
        if planned and planned.fault.change:
            reply = planned.fault.change(reply)
        session = self.get_session(call.session.id) if call.session else None
        return Answer(reply=reply, endpoint=call.endpoint, session=session, planned=planned, problem=problem)

    def _read(self, request: Request) -> _Call[_S]:
        endpoint = get_endpoint(request)
        if endpoint in {"validate", "payment-session"}:
            tokens = request.query.get("publicToken", [])
            return _Call(
                request=request, endpoint=endpoint, session=self._find_session("public", *tokens[:1])
            )
        call: _Call[_S] = _Call(request=request, endpoint=endpoint, session=None)
        if endpoint == "requestvalidation":
            return replace(call, session=self._find_session("request", call.request_token))
        if endpoint != "payment" or len(request.body) > _MAX_BODY:
            return call
        try:
            body = request.json
        except (ValueError, RecursionError):
            return call
        identifier = body.get("paymentSessionId") if isinstance(body, dict) else None
        session = self.get_session(identifier) if isinstance(identifier, str) else None
        return replace(call, body=body, session=session)

    def _find_session(self, purpose: str, text: str = "") -> _S | None:
        token = self._tokens.read(text, purpose)
        return self.get_session(token.session_id) if token else None

    def _take_fault(self, call: _Call[_S]) -> PlannedFault | None:
        session = call.session
        return self.faults.take(
            call.endpoint,
            session.id if session else "",
            key=call.api_key,
            is_repeat=bool(session and call.body in session.confirmations),
        )

    def _reply_amid(self, call: _Call[_S], fault: str) -> tuple[Reply, str]:
        """Return the reply while something happens to the session: just before it, or right afterwards."""
        before = {
            "session-expired": self.expire,
            "cart-changed": self.add_to_cart,
            "currency-changed": self.change_currency,
        }
        if call.session and fault in before:
            before[fault](call.session)
        answered = self._reply(replace(call, fault=fault))
        if call.session and fault == "cart-changed-after":
            self.add_to_cart(call.session)
        return answered

    def _reply(self, call: _Call[_S]) -> tuple[Reply, str]:
        """Return the reply, and why it is a refusal if it is one."""
        handlers: dict[str, Callable[[_Call[_S]], Reply]] = {
            "validate": self._validate,
            "payment-session": self._payment_session,
            "payment": self._payment,
            "requestvalidation": self._request_validation,
        }
        if call.session:
            call = replace(call, session=self.get_session(call.session.id))
        try:
            _check_method(call)
            return handlers[call.endpoint](call), ""
        except _Refused as refused:
            reply = Reply.of_json(refused.status, {"message": str(refused)})
            return replace(reply, headers=(*reply.headers, *refused.headers)), str(refused)

    def _validate(self, call: _Call[_S]) -> Reply:
        self._read_session(call)
        return Reply(status=200, headers=_OPEN_TO_BROWSERS)  # the body is undocumented, so there is none

    def _payment_session(self, call: _Call[_S]) -> Reply:
        session = self._read_session(call)
        session = self.update(session, amount_read=session.invoice.amount)
        reply = Reply.of_json(200, session.to_json())
        return replace(reply, headers=(*reply.headers, *_OPEN_TO_BROWSERS))

    def _read_session(self, call: _Call[_S]) -> _S:
        if len(call.request.query.get("publicToken", [])) != 1:
            raise _Refused(400, "The query string has to hold 'publicToken', once.")
        if call.session is None:
            raise _Refused(
                404, "The token is forged, has expired, or belongs to a session that is forgotten."
            )
        if call.session.refused_with:
            raise _Refused(call.session.refused_with, "The payment session has expired.")
        return call.session

    def _payment(self, call: _Call[_S]) -> Reply:
        if problem := self._key_problem(call):
            raise _Refused(401, problem)
        self._check_body(call)
        session = call.session
        if session is None:
            hint = " That is a token; the id of the session is wanted." if _is_token(call.body) else ""
            raise _Refused(404, f"No payment session has the id in 'paymentSessionId'.{hint}")
        if not self._gateway.accepts_api_key(call.api_key, session.mode):
            raise _Refused(403, f"The key belongs to the other mode; this is a {session.mode} session.")
        try:
            self._record(session, call.body, accepts_repeats=self._accepts(call))
        except ConfirmationRefused as error:
            raise _Refused(400, str(error)) from error
        return Reply.of_json(200, {"returnUrl": session.order_url})

    def _accepts(self, call: _Call[_S]) -> bool:
        return self.accepts_repeats and call.fault != "repeat-refused"

    def _key_problem(self, call: _Call[_S]) -> str:
        if not call.api_key:
            return "The header 'Authorization: Bearer KEY' is missing, with one of the gateway's API keys."
        if not self._gateway.accepts_api_key(call.api_key, ""):
            return "The key is none of the gateway's API keys. The store's secret key does not work here."
        return "The key has been revoked." if call.fault == "key-revoked" else ""

    def _check_body(self, call: _Call[_S]) -> None:
        kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise _Refused(415, "The content type has to be application/json.")
        if len(call.request.body) > _MAX_BODY:
            raise _Refused(413, "The body is too long.")
        if call.body is None:
            raise _Refused(400, "The body is not JSON, or null.")
        if problem := confirmation_problem(call.body):
            raise _Refused(400, problem)

    def _request_validation(self, call: _Call[_S]) -> Reply:
        user, password = _basic_credentials(call)
        token = self._tokens.read(call.request_token, "request")
        mode = token.mode if token else ""
        if not user:
            raise _Refused(401, "Basic authentication with the store's secret key as user is missing.")
        if password or not self._gateway.accepts_secret_key(user, mode):
            wanted = f"the {mode} store" if mode else "a store"
            raise _Refused(401, f"The user is not the secret key of {wanted}, or the password is not empty.")
        if token is None:
            raise _Refused(404, "The token is forged or has expired; it lives for an hour.")
        return Reply.of_json(200, {"token": call.request_token})


def get_endpoint(request: Request) -> str:
    """Return which endpoint a request is for; empty when Snipcart has none there."""
    if request.path.startswith(_REQUEST_VALIDATION):
        return "requestvalidation"
    return _PATHS.get(request.path, "")


def _check_method(call: _Call[Any]) -> None:
    if not call.endpoint:
        raise _Refused(404, "Snipcart has no such endpoint.")
    wanted = "POST" if call.endpoint == "payment" else "GET"
    if call.request.method != wanted:
        problem = f"The method has to be {wanted}, not {call.request.method}."
        raise _Refused(405, problem, ("Allow", wanted))


def _is_token(body: dict[str, Any]) -> bool:
    return str(body["paymentSessionId"]).count(".") == 2


def _basic_credentials(call: _Call[Any]) -> tuple[str, str]:
    scheme, encoded = call.credentials
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    user, _, password = decoded.partition(":")
    return (user, password) if scheme == "basic" else ("", "")
