"""A Stripe account behind Stripe's API, as far as the backend asks it: sessions, refunds, idempotency keys.

Bodies have the shape of https://docs.stripe.com/api; everything happens below ``requests``, by ``responses``.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    Answer = tuple[int, dict[str, str], str]

API = "https://api.stripe.com/v1"
TEST_KEY = "sk_test_51AbCdEfGhIjKlMnOpQrStUv"
LIVE_KEY = "rk_live_51AbCdEfGhIjKlMnOpQrStUv"
SIGNING_SECRET = "whsec_9f8e7d6c5b4a39281706f5e4d3c2b1a0"


class StripeAccount:
    """One account. ``requests`` is every request, parsed; ``answer_next`` breaks the next one."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self._keys: dict[str, tuple[dict[str, str], Answer]] = {}
        self.page = "https://checkout.stripe.com"
        self.refused_email = ""
        self.forbidden: set[str] = set()
        self.refund_status = "succeeded"
        self._fails = False
        self._next: list[Answer | Exception] = []
        self._meanwhile: list[Callable[[], object]] = []
        for method in (responses.GET, responses.POST):
            mock.add_callback(method, re.compile(re.escape(API) + "/.*"), callback=self._answer)

    # What happens at Stripe ----------------------------------------------------------------------------------

    def shopper_pays(self, session_id: str) -> None:
        """The shopper pays by card on Stripe's page."""
        self._attempt(session_id, "succeeded")
        self.sessions[session_id].update(status="complete", payment_status="paid", url=None)

    def shopper_pays_slowly(self, session_id: str, status: str = "processing") -> None:
        """The shopper chooses a debit or transfer, whose money comes later."""
        self._attempt(session_id, status)
        self.sessions[session_id].update(status="complete", payment_status="unpaid", url=None)

    def bank_answers(self, session_id: str, *, paid: bool, code: str = "") -> None:
        """What comes of a slow payment."""
        intent = self._intent_of(session_id)
        intent["status"] = "succeeded" if paid else "requires_payment_method"
        if paid:
            self.sessions[session_id]["payment_status"] = "paid"
        else:
            intent["last_payment_error"] = {"type": "invalid_request_error", "code": code, "message": "Raw."}

    def card_is_declined(self, session_id: str, *, code: str, decline_code: str | None = None) -> None:
        """An attempt fails; the session stays open for another one."""
        error = {"type": "card_error", "code": code, "message": "Your card was declined, says Stripe."}
        self._attempt(session_id, "requires_payment_method")
        self._intent_of(session_id)["last_payment_error"] = error | (
            {"decline_code": decline_code} if decline_code else {}
        )

    def refund_fails(self, reference: object, reason: str = "lost_or_stolen_card") -> None:
        """The bank sends a refund back, days later."""
        for refund in self.refunds.values():
            if refund["metadata"]["reference"] == str(reference):
                refund.update(status="failed", failure_reason=reason)

    def session_ends(self, session_id: str) -> None:
        """A day has passed."""
        self.sessions[session_id].update(status="expired", url=None)

    def keys_are_forgotten(self) -> None:
        """A day has passed for the idempotency keys."""
        self._keys.clear()

    def answer_next(
        self, status: int | Exception, error: dict[str, Any] | None = None, body: str = ""
    ) -> None:
        """Answer the next request with an error, or with whatever body, and do nothing."""
        if isinstance(status, Exception):
            self._next.append(status)
        else:
            self._next.append((status, {"Request-Id": "req_1"}, body or json.dumps({"error": error or {}})))

    def fail_next(self) -> None:
        """Fail with 500 in the middle of the next POST, which Stripe then remembers like any other answer."""
        self._fails = True

    def meanwhile(self, action: Callable[[], object]) -> None:
        """Let something happen just before the next POST is answered."""
        self._meanwhile.append(action)

    @property
    def session(self) -> dict[str, Any]:
        """The only session there is."""
        (session,) = self.sessions.values()
        return session

    def of_reference(self, reference: object) -> list[dict[str, Any]]:
        return [s for s in self.sessions.values() if s["client_reference_id"] == str(reference)]

    # Answers -------------------------------------------------------------------------------------------------

    def _answer(self, request: PreparedRequest) -> Answer:
        path = urlsplit(request.url or "").path.removeprefix("/v1")
        form = dict(parse_qsl(str(request.body or urlsplit(request.url or "").query), keep_blank_values=True))
        self.requests.append((request.method or "", path, form))
        self.headers.append(dict(request.headers))
        if request.method == "POST" and self._meanwhile:
            self._meanwhile.pop(0)()
        if self._next:
            answer = self._next.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        key = request.headers.get("Idempotency-Key", "")
        if request.method == "POST" and key in self._keys:
            return self._replay(key, form)
        answer = self._route(request.method or "", path, form)
        if self._fails:
            self._fails, answer = False, _error(500, type="api_error", message="An unknown error occurred.")
        if request.method == "POST":
            self._keys[key] = (form, answer)
        return answer

    def _replay(self, key: str, form: dict[str, str]) -> Answer:
        first, (status, headers, body) = self._keys[key]
        if form != first:
            text = "Keys for idempotent requests can only be used with the same parameters they were first used with."
            return _error(400, type="idempotency_error", message=text)
        return status, {**headers, "Idempotent-Replayed": "true"}, body

    def _route(self, method: str, path: str, form: dict[str, str]) -> Answer:
        if path.strip("/").partition("/")[0] in self.forbidden:
            return _error(403, type="invalid_request_error", code="", message="The key has no permission.")
        match method, path.strip("/").split("/"):
            case "POST", ["checkout", "sessions"]:
                return self._create(form)
            case "GET", ["checkout", "sessions", session_id] if session_id in self.sessions:
                return self._show(session_id)
            case "POST", ["checkout", "sessions", session_id, "expire"] if session_id in self.sessions:
                return self._expire(session_id)
            case "GET", ["checkout", "sessions"] | ["payment_intents"]:
                return _json({"object": "list", "url": path, "has_more": False, "data": []})
            case "GET", ["payment_intents", intent_id] if intent_id in self.intents:
                return _json(self.intents[intent_id])
            case "GET", ["charges", charge_id]:
                intent = self.intents[charge_id.replace("ch_", "pi_")]
                return _json({"id": charge_id, "object": "charge", "metadata": intent["metadata"]})
            case "GET", ["refunds"]:
                return _json(self._list_refunds(form))
            case "POST", ["refunds"]:
                return self._refund(form)
        return _error(404, type="invalid_request_error", code="resource_missing", message=f"No such: {path}")

    def _create(self, form: dict[str, str]) -> Answer:
        if self.refused_email and form.get("customer_email") == self.refused_email:
            text = f"Invalid email address: {self.refused_email}"
            return _error(
                400,
                type="invalid_request_error",
                code="email_invalid",
                param="customer_email",
                message=text,
            )
        session_id = f"cs_test_a1{secrets.token_hex(28)}"
        now = int(time.time())
        self.sessions[session_id] = {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": int(form["line_items[0][price_data][unit_amount]"]),
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "cancel_url": form["cancel_url"],
            "client_reference_id": form["client_reference_id"],
            "created": now,
            "currency": form["line_items[0][price_data][currency]"],
            "customer_details": None,
            "customer_email": form.get("customer_email"),
            "expires_at": now + 24 * 3600,
            "livemode": False,
            "locale": form["locale"],
            "metadata": {"reference": form["metadata[reference]"]},
            "mode": "payment",
            "payment_intent": None,
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "status": "open",
            "success_url": form["success_url"],
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "url": f"{self.page}/c/pay/{session_id}#fidkdWxOYHwnPyd1blpxYHZxWjA0",
        }
        return self._show(session_id)

    def _show(self, session_id: str) -> Answer:
        session = self.sessions[session_id]
        return _json({**session, "payment_intent": self.intents.get(session["payment_intent"])})

    def _expire(self, session_id: str) -> Answer:
        session = self.sessions[session_id]
        if session["status"] != "open":
            text = f'Only Checkout Sessions with a status in ["open"] can be expired. Yours is {session["status"]}.'
            return _error(400, type="invalid_request_error", message=text)
        session.update(status="expired", url=None)
        return self._show(session_id)

    def _attempt(self, session_id: str, status: str) -> None:
        session = self.sessions[session_id]
        assert session["status"] == "open"
        session["payment_intent"] = intent_id = session["payment_intent"] or f"pi_3{secrets.token_hex(12)}"
        self.intents[intent_id] = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": session["amount_total"],
            "currency": session["currency"],
            "last_payment_error": None,
            "metadata": session["metadata"],
            "status": status,
        }

    def _intent_of(self, session_id: str) -> dict[str, Any]:
        return self.intents[self.sessions[session_id]["payment_intent"]]

    def _list_refunds(self, form: dict[str, str]) -> dict[str, Any]:
        found = [
            refund
            for refund in self.refunds.values()
            if refund["payment_intent"] == form.get("payment_intent", refund["payment_intent"])
        ]
        after = next((i + 1 for i, r in enumerate(found) if r["id"] == form.get("starting_after")), 0)
        page = found[after : after + int(form["limit"])]
        has_more = after + len(page) < len(found)
        return {"object": "list", "url": "/v1/refunds", "has_more": has_more, "data": page}

    def _refund(self, form: dict[str, str]) -> Answer:
        intent = self.intents.get(form["payment_intent"])
        if intent is None:
            text = f"No such payment_intent: {form['payment_intent']}"
            return _error(
                404, type="invalid_request_error", code="resource_missing", param="intent", message=text
            )
        made = [
            r
            for r in self.refunds.values()
            if r["payment_intent"] == intent["id"] and r["status"] != "failed"
        ]
        left = intent["amount"] - sum(refund["amount"] for refund in made)
        if not left:
            code = "charge_already_refunded"
            return _error(
                400, type="invalid_request_error", code=code, message="Charge ch_1 has already been refunded."
            )
        if int(form["amount"]) > left:
            text = "Refund amount is greater than unrefunded amount on charge."
            return _error(400, type="invalid_request_error", message=text)
        refund_id = f"re_3{secrets.token_hex(12)}"
        self.refunds[refund_id] = {
            "id": refund_id,
            "object": "refund",
            "amount": int(form["amount"]),
            "currency": intent["currency"],
            "metadata": {"reference": form["metadata[reference]"]},
            "payment_intent": intent["id"],
            "reason": None,
            "status": self.refund_status,
        }
        return _json(self.refunds[refund_id])


def event(
    reference: object, kind: str = "checkout.session.completed", **wrong: Any
) -> tuple[dict[str, str], bytes]:
    """The headers and body of a webhook; ``secret`` and ``at`` (seconds) replace the right ones."""
    session = {
        "id": "cs_test_1",
        "object": "checkout.session",
        "client_reference_id": str(reference),
        "metadata": {"reference": str(reference)},
    }
    body = json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "type": kind,
            "livemode": False,
            "data": {"object": wrong.get("data", session)},
        }
    )
    moment = wrong.get("at") or int(time.time())
    secret = wrong.get("secret", SIGNING_SECRET)
    signature = hmac.new(secret.encode(), f"{moment}.{body}".encode(), "sha256").hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={signature}"}, body.encode()


def refund_event(reference: object, kind: str = "refund.updated") -> tuple[dict[str, str], bytes]:
    """The headers and body of a webhook about a refund."""
    refund = {"id": "re_1", "object": "refund", "metadata": {"reference": str(reference)}}
    return event(reference, kind, data=refund)


def dispute_event(**named: str) -> tuple[dict[str, str], bytes]:
    """The headers and body of a webhook about a dispute of ``payment_intent``, ``charge``, or both."""
    dispute = {"id": "du_1", "object": "dispute", "metadata": {}, **named}
    return event("", "charge.dispute.created", data=dispute)


def _json(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json", "Request-Id": "req_1"}, json.dumps(value)


def _error(status: int, **error: str) -> Answer:
    return status, {"Content-Type": "application/json", "Request-Id": "req_1"}, json.dumps({"error": error})
