"""A PayPal account behind PayPal's API, live and sandbox: tokens, orders, captures, refunds, webhooks, request ids.

It is as strict as ``paypal_rules``. Errors have PayPal's names and issues. Everything happens below ``requests``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import requests
import responses

from tests.support import paypal_rules as rules

if TYPE_CHECKING:
    from requests import PreparedRequest

    Answer = tuple[int, dict[str, str], str]

LIVE = "https://api-m.paypal.com"
SANDBOX = "https://api-m.sandbox.paypal.com"
CLIENT_ID = "AfKzQ3pWb7vX0dYtJ2mLrS9hGcN5eUoI1aTqZ8kVxB4wCyDfRjPl6sEnMiHu_OgT-A7bQ2zXkW5vYc"
CLIENT_SECRET = "EJq8nB1vRt6yUi3oPa5sDf7gHj9kLz0xCvWbNm2QeTrYuIoPlKjHgFdSaZxCvBnMq1w2e3r4t5y6"
WEBHOOK_ID = "1JE4291016473214C"
_SIGNING_KEY = b"PayPal's own"


class PayPalAccount:
    """One account. ``requests`` is every request, as method, path and parsed body; ``headers`` has theirs."""

    def __init__(self, mock: responses.RequestsMock, *, api: str = LIVE) -> None:
        self.api = api
        self.page = "https://www.paypal.com" if api == LIVE else "https://www.sandbox.paypal.com"
        self.orders: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.capture_status = "COMPLETED"
        self.refund_status = "COMPLETED"
        self.capture_issue = ""
        self.refund_issue = ""
        self.patch_issue = ""
        self.permissions = {"orders", "captures", "refunds", "webhooks"}
        self._tokens: set[str] = set()
        self._keys: dict[tuple[str, str], tuple[Any, Answer]] = {}
        self._next: list[Answer | Exception] = []
        self._meanwhile: list[Callable[[], object]] = []
        self._loses = 0
        for method in (responses.GET, responses.POST, responses.PATCH):
            mock.add_callback(method, re.compile(re.escape(api) + "/.*"), callback=self._answer)

    # What happens at PayPal ------------------------------------------------------------------------------------

    def shopper_approves(self, order_id: str) -> None:
        """The shopper logs in, chooses a card or balance and presses the button."""
        assert self.orders[order_id]["status"] in {"CREATED", "PAYER_ACTION_REQUIRED"}
        self.orders[order_id]["status"] = "APPROVED"

    def capture_becomes(self, order_id: str, status: str) -> None:
        """What came of a pending capture."""
        self.captures_of(order_id)[0]["status"] = status

    def refunds_become(self, status: str) -> None:
        """What came of every refund."""
        for order in self.orders.values():
            for refund in _payments(order).get("refunds", []):
                refund["status"] = status

    def time_passes(self, order_id: str, *, minutes: int) -> None:
        """The order was made earlier."""
        made = datetime.now(UTC) - timedelta(minutes=minutes)
        self.orders[order_id]["create_time"] = made.strftime("%Y-%m-%dT%H:%M:%SZ")

    def keys_are_forgotten(self) -> None:
        """The time for which request ids are stored has passed."""
        self._keys.clear()

    def tokens_end(self) -> None:
        """Every access token is refused from now on."""
        self._tokens.clear()

    def answer_next(self, status: int | Exception, body: Any = None, *, skip: int = 0) -> None:
        """Answer a coming request with an error, or with whatever body, and do nothing; after ``skip`` others."""
        self._next.extend([(0, {}, "")] * skip)
        if isinstance(status, Exception):
            self._next.append(status)
        else:
            text = body if isinstance(body, str) else json.dumps({} if body is None else body)
            self._next.append((status, {"Content-Type": "application/json"}, text))

    def lose_answer(self) -> None:
        """Do what the next POST with a request id asks for, and let the answer get lost."""
        self._loses += 1

    def meanwhile(self, action: Callable[[], object]) -> None:
        """Let something happen just before the next POST or PATCH with an access token is answered."""
        self._meanwhile.append(action)

    @property
    def order(self) -> dict[str, Any]:
        """The only order there is."""
        (order,) = self.orders.values()
        return order

    def captures_of(self, order_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = _payments(self.orders[order_id]).get("captures", [])
        return found

    def captured(self, reference: object) -> list[dict[str, Any]]:
        """The captures that took money under a reference."""
        return [
            capture
            for order_id in self.orders
            for capture in self.captures_of(order_id)
            if capture["custom_id"] == str(reference) and capture["status"] not in {"DECLINED", "FAILED"}
        ]

    def refunds(self) -> list[dict[str, Any]]:
        return [refund for order in self.orders.values() for refund in _payments(order).get("refunds", [])]

    def calls(self, method: str, ending: str = "") -> list[tuple[str, str, Any]]:
        """The requests of a method whose path ends so, tokens aside."""
        return [
            call
            for call in self.requests
            if call[0] == method and call[1].endswith(ending) and not call[1].endswith("/oauth2/token")
        ]

    # Answers ---------------------------------------------------------------------------------------------------

    def _answer(self, request: PreparedRequest) -> Answer:
        method, path = request.method or "", urlsplit(request.url or "").path
        raw = request.body or b""
        raw = raw.encode() if isinstance(raw, str) else raw
        self.headers.append(dict(request.headers))
        if path == "/v1/oauth2/token":
            self.requests.append((method, path, dict(parse_qsl(raw.decode()))))
            return self._planned() or self._token(request)
        body = json.loads(raw) if raw else None
        self.requests.append((method, path, body))
        if method != "GET" and self._meanwhile:
            self._meanwhile.pop(0)()
        if planned := self._planned():
            return planned
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            return _error(401, "AUTHENTICATION_FAILURE")
        if method != "GET" and request.headers.get("Content-Type") != "application/json":
            return _error(415, "UNSUPPORTED_MEDIA_TYPE")
        return self._once(request, method, path, body, raw)

    def _planned(self) -> Answer | None:
        if not self._next:
            return None
        planned = self._next.pop(0)
        if isinstance(planned, Exception):
            raise planned
        return planned if planned[0] else None

    def _once(self, request: PreparedRequest, method: str, path: str, body: Any, raw: bytes) -> Answer:
        key = (path, request.headers.get("PayPal-Request-Id", ""))
        if key[1] and not rules.REQUEST_ID.fullmatch(key[1]):
            return _invalid([("PayPal-Request-Id", "INVALID_STRING_LENGTH")])
        if not rules.PREFER.fullmatch(request.headers.get("Prefer", "x")):
            return _invalid([("Prefer", "INVALID_PARAMETER_SYNTAX")])
        if method == "POST" and key[1] and key in self._keys:
            return self._replay(key, body)
        answer = self._route(method, path, body, raw, key[1])
        if "representation" not in request.headers.get("Prefer", "") and method == "POST":
            answer = _shortened(answer)
        if key[1] and answer[0] < 400:
            self._keys[key] = (body, answer)
            if self._loses:
                self._loses -= 1
                raise requests.ConnectionError("the answer got lost")
        return answer

    def _replay(self, key: tuple[str, str], body: Any) -> Answer:
        """Answer a repeat with the latest status of what the first one did."""
        first, (_status, headers, text) = self._keys[key]
        made = json.loads(text)
        if first != body:
            return _unprocessable("PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
        if made["id"] in self.orders:
            return 200, headers, json.dumps(self.orders[made["id"]])
        refund = next((refund for refund in self.refunds() if refund["id"] == made["id"]), made)
        return 200, headers, json.dumps(refund)

    def _token(self, request: PreparedRequest) -> Answer:
        sent = request.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(sent).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return _json(
                401, {"error": "invalid_client", "error_description": "Client Authentication failed"}
            )
        if self.requests[-1][2] != {"grant_type": "client_credentials"}:
            return _json(400, {"error": "unsupported_grant_type", "error_description": "Grant Type is NULL"})
        token = f"A21AA{secrets.token_urlsafe(60)}"
        self._tokens.add(token)
        return _json(200, {"access_token": token, "token_type": "Bearer", "expires_in": 31668})

    def _route(self, method: str, path: str, body: Any, raw: bytes, key: str) -> Answer:
        match method, path.strip("/").split("/")[1:]:
            case "POST", ["checkout", "orders"]:
                return self._permitted("orders") or self._create(body, key)
            case "GET", ["checkout", "orders", order_id] if order_id in self.orders:
                return _json(200, self.orders[order_id])
            case "PATCH", ["checkout", "orders", order_id] if order_id in self.orders:
                return self._patch(self.orders[order_id], body)
            case "POST", ["checkout", "orders", order_id, "capture"] if order_id in self.orders:
                return self._permitted("captures") or self._capture(self.orders[order_id], body)
            case "POST", ["payments", "captures", capture_id, "refund"]:
                return self._permitted("refunds") or self._refund(capture_id, body)
            case "POST", ["notifications", "verify-webhook-signature"]:
                return self._permitted("webhooks") or self._verify(body, raw)
        return _error(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")

    def _permitted(self, what: str) -> Answer | None:
        return None if what in self.permissions else _error(403, "NOT_AUTHORIZED", "PERMISSION_DENIED")

    def _create(self, body: Any, key: str) -> Answer:
        if not key:
            return _invalid([("PayPal-Request-Id", "PAYPAL_REQUEST_ID_REQUIRED")])
        if broken := list(rules.problems(body, rules.ORDER)):
            return _invalid(broken)
        unit = body["purchase_units"][0]
        if issue := _money_issue(unit["amount"]):
            return _unprocessable(issue)
        order_id = secrets.token_hex(9).upper()[:17]
        context = body["payment_source"]["paypal"]["experience_context"]
        self.orders[order_id] = {
            "create_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "id": order_id,
            "intent": body["intent"],
            "status": "PAYER_ACTION_REQUIRED",
            "payment_source": {"paypal": {}},
            "purchase_units": [
                {"reference_id": "default", "payee": {"merchant_id": "QJK9UMY9VYL9L"}, **unit}
            ],
            "links": [
                {"href": f"{self.api}/v2/checkout/orders/{order_id}", "rel": "self", "method": "GET"},
                {
                    "href": f"{self.page}/checkoutnow?token={order_id}",
                    "rel": "payer-action",
                    "method": "GET",
                },
            ],
        }
        self.returns = (context["return_url"], context["cancel_url"])
        return _json(201, self.orders[order_id])

    def _patch(self, order: dict[str, Any], body: Any) -> Answer:
        if broken := list(rules.problems(body, rules.PATCH)):
            return _invalid(broken)
        (patch,) = body
        if self.patch_issue:
            return _unprocessable(self.patch_issue)
        if order["status"] == "COMPLETED":
            return _unprocessable("ORDER_ALREADY_COMPLETED")
        if (patch["op"], patch["path"]) != ("replace", "/intent"):
            return _unprocessable("NOT_PATCHABLE")
        if patch["value"] not in {"CAPTURE", "AUTHORIZE"}:
            return _unprocessable("UNSUPPORTED_PATCH_PARAMETER_VALUE")
        order["intent"] = patch["value"]
        return 204, {}, ""

    def _capture(self, order: dict[str, Any], body: Any) -> Answer:
        if broken := list(rules.problems(body, rules.CAPTURE)):
            return _invalid(broken)
        unit = order["purchase_units"][0]
        if order["status"] == "COMPLETED":
            return _unprocessable("ORDER_ALREADY_CAPTURED")
        if order["intent"] != "CAPTURE":
            return _unprocessable("ACTION_DOES_NOT_MATCH_INTENT")
        if order["status"] != "APPROVED":
            return _unprocessable("ORDER_NOT_APPROVED")
        if self.captured(unit["custom_id"]):
            return _unprocessable("DUPLICATE_INVOICE_ID")
        if self.capture_issue:
            return _unprocessable(self.capture_issue)
        capture_id = secrets.token_hex(9).upper()[:17]
        capture = {
            "id": capture_id,
            "status": self.capture_status,
            "amount": dict(unit["amount"]),
            "final_capture": True,
            "custom_id": unit["custom_id"],
            "invoice_id": unit["invoice_id"],
        }
        if self.capture_status == "PENDING":
            capture["status_details"] = {"reason": "PENDING_REVIEW"}
        unit["payments"] = {"captures": [capture]}
        order["status"] = "COMPLETED"
        return _json(201, order)

    def _refund(self, capture_id: str, body: Any) -> Answer:
        found = [
            (order, capture)
            for order_id, order in self.orders.items()
            for capture in self.captures_of(order_id)
            if capture["id"] == capture_id
        ]
        if not found:
            return _error(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
        if broken := list(rules.problems(body, rules.REFUND)):
            return _invalid(broken)
        ((order, capture),) = found
        payments = _payments(order)
        if issue := self.refund_issue or _refund_issue(capture, payments.get("refunds", []), body["amount"]):
            return _unprocessable(issue)
        refund = {
            "id": secrets.token_hex(9).upper()[:17],
            "status": self.refund_status,
            "amount": dict(body["amount"]),
            "custom_id": body["custom_id"],
            "invoice_id": capture["invoice_id"],
        }
        payments.setdefault("refunds", []).append(refund)
        if refund["status"] in {"COMPLETED", "PENDING"}:
            is_rest = not _left(capture, payments["refunds"])
            capture["status"] = "REFUNDED" if is_rest else "PARTIALLY_REFUNDED"
        return _json(201, refund)

    def _verify(self, body: Any, raw: bytes) -> Answer:
        if broken := list(rules.problems(body, rules.VERIFY)):
            return _invalid(broken)
        event = raw.partition(b'"webhook_event": ')[2].removesuffix(b"}")
        signature = _signature(body["transmission_id"], body["transmission_time"], WEBHOOK_ID, event)
        good = signature == body["transmission_sig"] and body["webhook_id"] == WEBHOOK_ID
        return _json(200, {"verification_status": "SUCCESS" if good else "FAILURE"})


def event(
    reference: object, kind: str = "CHECKOUT.ORDER.APPROVED", **wrong: Any
) -> tuple[dict[str, str], bytes]:
    """The headers and body of a delivery; ``resource``, ``webhook_id`` and ``body`` replace the right ones."""
    reference = str(reference)
    if kind.startswith("CHECKOUT."):
        resource: Any = {"id": "5O190127TN364715T", "purchase_units": [{"custom_id": reference}]}
    elif kind.startswith("CUSTOMER.DISPUTE."):
        resource = {"dispute_id": "PP-D-1", "disputed_transactions": [{"custom": reference}]}
    else:
        resource = {"id": "2GG279541U471931P", "custom_id": reference}
    # Spaces, an escape and 1.0 come back otherwise from a parser, and then the signature does not fit.
    document = {"id": "WH-1", "event_type": kind, "summary": "Paid: 1\u00a0€", "score": 1.0, "empty": {}}
    document["resource"] = wrong.get("resource", resource)
    body = wrong.get("body", json.dumps(document, indent=1).encode())
    sent, at = "69cd13f0-d67a-11e5-baa3-778b53f4ae55", "2026-02-18T20:01:35Z"
    return {
        "Paypal-Auth-Algo": "SHA256withRSA",
        "Paypal-Cert-Url": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77",
        "Paypal-Transmission-Id": sent,
        "Paypal-Transmission-Sig": _signature(sent, at, wrong.get("webhook_id", WEBHOOK_ID), body),
        "Paypal-Transmission-Time": at,
    }, body


def _signature(transmission_id: str, at: str, webhook_id: str, body: bytes) -> str:
    """PayPal signs the id, the time, the webhook and a checksum of the body, byte for byte."""
    text = f"{transmission_id}|{at}|{webhook_id}|{zlib.crc32(body)}"
    return "x" + base64.b64encode(hmac.new(_SIGNING_KEY, text.encode(), hashlib.sha256).digest()).decode()


def _payments(order: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = order["purchase_units"][0].get("payments", {})
    return found


def _money_issue(money: Mapping[str, str]) -> str:
    decimals, value = rules.DECIMALS.get(money["currency_code"]), Decimal(money["value"])
    if decimals is None:
        return "INVALID_CURRENCY_CODE"
    if value <= 0:
        return "CANNOT_BE_ZERO_OR_NEGATIVE"
    if len(money["value"].partition(".")[2]) > decimals:
        return "DECIMAL_PRECISION"
    return "MAX_VALUE_EXCEEDED" if value > Decimal("999999999999999.99") else ""


def _refund_issue(capture: Mapping[str, Any], refunds: list[dict[str, Any]], money: Mapping[str, str]) -> str:
    if capture["status"] == "PENDING":
        return "PENDING_CAPTURE"
    if money["currency_code"] != capture["amount"]["currency_code"]:
        return "REFUND_CAPTURE_CURRENCY_MISMATCH"
    left = _left(capture, refunds)
    if not left:
        return "CAPTURE_FULLY_REFUNDED"
    return _money_issue(money) or ("REFUND_AMOUNT_EXCEEDED" if Decimal(money["value"]) > left else "")


def _left(capture: Mapping[str, Any], refunds: list[dict[str, Any]]) -> Decimal:
    made = [refund for refund in refunds if refund["status"] in {"COMPLETED", "PENDING"}]
    return Decimal(capture["amount"]["value"]) - sum(
        (Decimal(refund["amount"]["value"]) for refund in made), Decimal()
    )


def _shortened(answer: Answer) -> Answer:
    """Without ``Prefer: return=representation`` an order or refund is its id, status and links."""
    status, headers, text = answer
    found = json.loads(text) if text else {}
    if status not in {200, 201} or "id" not in found:
        return answer
    return (
        status,
        headers,
        json.dumps({name: found[name] for name in ("id", "status", "links") if name in found}),
    )


def _json(status: int, value: Any) -> Answer:
    return status, {"Content-Type": "application/json", "Paypal-Debug-Id": "f3a1b2c4d5e6f"}, json.dumps(value)


def _error(status: int, name: str, *issues: str) -> Answer:
    details = [{"issue": issue, "description": "Raw words of PayPal."} for issue in issues]
    return _json(
        status,
        {
            "name": name,
            "message": "Raw words of PayPal.",
            "debug_id": "f3a1b2c4d5e6f",
            "details": details,
        },
    )


def _invalid(broken: list[tuple[str, str]]) -> Answer:
    details = [{"field": pointer, "issue": issue} for pointer, issue in broken]
    return _json(400, {"name": "INVALID_REQUEST", "debug_id": "f3a1b2c4d5e6f", "details": details})


def _unprocessable(issue: str) -> Answer:
    return _error(422, "UNPROCESSABLE_ENTITY", issue)
