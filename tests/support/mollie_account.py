"""A Mollie account behind Mollie's API v2, as far as the backend asks it: payments, refunds, a profile, idempotency keys.

Written from Mollie's published specification (https://github.com/mollie/openapi, https://docs.mollie.com): paths,
fields, statuses and errors are those of its schemas. It is strict: what a schema does not allow is refused. Everything
happens below ``requests``, by ``responses``.
"""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    Answer = tuple[int, dict[str, str], str]

API = "https://api.mollie.com/v2"
LIVE_KEY = "live_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5"
TEST_KEY = "test_Z9y8X7w6V5u4T3s2R1q0P9o8N7m6L5"
PROFILE = "pfl_3RkSN1zuPE"

_CURRENCIES = {
    **dict.fromkeys(
        "AED AUD BRL CAD CHF CZK DKK EUR GBP HKD HUF ILS MXN MYR NOK NZD PHP PLN RON SEK SGD THB TWD USD ZAR".split(),
        2,
    ),
    **dict.fromkeys(("ISK", "JPY"), 0),
}
_METHODS = set(
    "alma applepay bacs bancomatpay bancontact banktransfer belfius billie billink bizum blik creditcard directdebit eps "
    "giftcard ideal in3 kbc klarna mbway mobilepay multibanco mybank paybybank paypal paysafecard pointofsale przelewy24 "
    "riverty satispay swish trustly twint vipps voucher".split()
)
_LOCALES = set(
    "ca_ES cs_CZ da_DK de_AT de_CH de_DE de_LU en_BE en_GB en_NL en_US es_ES fi_FI fr_BE fr_FR fr_LU hu_HU is_IS it_IT "
    "lt_LT lv_LV nb_NO nl_BE nl_NL pl_PL pt_PT sk_SK sv_SE".split()
)
_PAYMENT_FIELDS = {
    "amount",
    "cancelUrl",
    "description",
    "locale",
    "metadata",
    "method",
    "redirectUrl",
    "webhookUrl",
}
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Refusal(Exception):
    """The error that a request is answered with."""

    def __init__(self, status: int, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.answer = error(status, detail, field)


class MollieAccount:
    """One website profile, with payments of one mode. ``requests`` is every request: method, path, query, body."""

    def __init__(self, mock: responses.RequestsMock, *, key: str = LIVE_KEY) -> None:
        self.key = key
        self.mode = key.partition("_")[0]
        self.profile_status = "verified"
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.headers: list[dict[str, str]] = []
        self.page = "https://www.mollie.com"
        self.page_size = 250
        self.now = datetime(2026, 11, 25, 12, tzinfo=UTC)
        self._keys: dict[str, tuple[datetime, Any, Answer]] = {}
        self._fails = False
        self._next: list[Answer | Exception] = []
        self._lost: list[Exception] = []
        self._meanwhile: list[Callable[[], object]] = []
        for method in (responses.GET, responses.POST, responses.DELETE):
            mock.add_callback(method, re.compile(re.escape(API) + "/.*"), callback=self._answer)

    # What happens at Mollie ----------------------------------------------------------------------------------

    def shopper_pays(self, payment_id: str, method: str = "creditcard") -> None:
        """The shopper pays on Mollie's page."""
        self._end(payment_id, "paid", method=method)

    def shopper_starts(self, payment_id: str, status: str = "pending", method: str = "ideal") -> None:
        """The shopper has paid as far as he can; the bank has not answered."""
        self.payments[payment_id].update(status=status, method=method, isCancelable=False)

    def shopper_chooses_transfer(self, payment_id: str) -> None:
        """The shopper is shown an account to transfer the money to. The payment stays open for days."""
        self._arrange_transfer(self.payments[payment_id])

    def shopper_chooses_multibanco(self, payment_id: str) -> None:
        """The shopper is shown what to type at a cash machine."""
        details = {"multibancoReference": "123456789", "multibancoEntity": "11249"}
        self.payments[payment_id].update(method="multibanco", details=details)

    def payment_ends(self, payment_id: str, status: str, **details: str) -> None:
        """The payment is canceled, expires or fails."""
        self._end(payment_id, status)
        if details:
            self.payments[payment_id]["details"] = details

    def refund_becomes(self, refund_id: str, status: str) -> None:
        """A refund goes on. Mollie forgets one that is canceled."""
        self.refunds[refund_id]["status"] = status
        if status == "canceled":
            del self.refunds[refund_id]

    def bank_disputes(self, payment_id: str) -> None:
        """A chargeback arrives."""
        payment = self.payments[payment_id]
        payment["amountChargedBack"] = dict(payment["amount"])

    def time_passes(self, **amount: int) -> None:
        """Let hours or minutes pass; idempotency keys are forgotten after an hour."""
        self.now += timedelta(**amount)

    def answer_next(self, status: int | Exception, detail: str = "", body: str | None = None) -> None:
        """Answer the next request with an error, or with whatever body, and do nothing."""
        if isinstance(status, Exception):
            self._next.append(status)
        elif body is None:
            self._next.append(error(status, detail))
        else:
            self._next.append((status, {"Content-Type": "text/html"}, body))

    def fail_next(self) -> None:
        """Fail with 500 at the next POST, which Mollie then remembers like any other answer."""
        self._fails = True

    def lose_next(self, problem: Exception) -> None:
        """Do what the next request asks, and lose the answer."""
        self._lost.append(problem)

    def meanwhile(self, action: Callable[[], object]) -> None:
        """Let something happen just before the next request that changes something is answered."""
        self._meanwhile.append(action)

    @property
    def payment(self) -> dict[str, Any]:
        """The only payment there is."""
        (payment,) = self.payments.values()
        return payment

    def of_reference(self, reference: object) -> list[dict[str, Any]]:
        return [p for p in self.payments.values() if p["metadata"] == {"reference": str(reference)}]

    def refunds_of_reference(self, reference: object) -> list[dict[str, Any]]:
        return [r for r in self.refunds.values() if r["metadata"] == {"reference": str(reference)}]

    # Answers -------------------------------------------------------------------------------------------------

    def _answer(self, request: PreparedRequest) -> Answer:
        parts = urlsplit(request.url or "")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        body = json.loads(request.body) if request.body else None
        path = parts.path.removeprefix("/v2")
        self.requests.append((request.method or "", path, query, body))
        self.headers.append(dict(request.headers))
        if request.method != "GET" and self._meanwhile:
            self._meanwhile.pop(0)()
        if self._next:
            answer = self._next.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        try:
            answer = self._checked(request, path, query, body)
        except Refusal as refusal:
            answer = refusal.answer
        if self._lost:
            raise self._lost.pop(0)
        return answer

    def _checked(self, request: PreparedRequest, path: str, query: dict[str, str], body: Any) -> Answer:
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            raise Refusal(401, "Missing authentication, or failed to authenticate")
        if body is not None and request.headers.get("Content-Type") != "application/json":
            raise Refusal(415, "The content type is not supported")
        if "testmode" in query:
            raise Refusal(422, "Non-existent query string parameter for this API credential", "testmode")
        key = request.headers.get("Idempotency-Key", "")
        if request.method != "POST":
            return self._route(request.method or "", path, query, body)
        if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key):
            raise Refusal(400, "The idempotency key is not a UUID")
        return self._once(key, path, body)

    def _once(self, key: str, path: str, body: Any) -> Answer:
        known = self._keys.get(key)
        if known and self.now - known[0] <= timedelta(hours=1):
            if known[1] != (path, body):
                raise Refusal(400, "The idempotency key was used for another request")
            status, headers, text = known[2]
            return status, {**headers, "Idempotent-Replayed": "true"}, text
        try:
            answer = self._route("POST", path, {}, body)
        except Refusal as refusal:
            answer = refusal.answer
        if self._fails:
            self._fails, answer = False, error(500, "An internal error occurred")
        self._keys[key] = (self.now, (path, body), answer)
        return answer

    def _route(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        match method, path.strip("/").split("/"):
            case "POST", ["payments"]:
                return _json(201, self._create(body))
            case "GET", ["profiles", "me"]:
                return _json(200, self._profile())
            case _, ["payments", payment_id, *_rest] if payment_id not in self.payments:
                raise Refusal(404, f"No payment exists with token {payment_id}.")
            case "GET", ["payments", payment_id]:
                return _json(200, self._show(self.payments[payment_id], query))
            case "DELETE", ["payments", payment_id]:
                return _json(200, self._cancel(self.payments[payment_id]))
            case "POST", ["payments", payment_id, "refunds"]:
                return _json(201, self._refund(self.payments[payment_id], body))
            case "GET", ["payments", payment_id, "refunds"]:
                return _json(200, self._list_refunds(payment_id, query))
        raise Refusal(404, "The resource does not exist")

    def _create(self, body: Any) -> dict[str, Any]:
        _check_payment(body)
        payment_id = f"tr_{secrets.token_hex(5)}"
        method = body.get("method")
        chosen = method if isinstance(method, str) else None
        payment = {
            "resource": "payment",
            "id": payment_id,
            "mode": self.mode,
            "createdAt": self.now.isoformat(),
            "amount": dict(body["amount"]),
            "description": body["description"],
            "metadata": body.get("metadata"),
            "status": "open",
            "isCancelable": False,
            "expiresAt": (self.now + timedelta(minutes=15)).isoformat(),
            "profileId": PROFILE,
            "sequenceType": "oneoff",
            "redirectUrl": body["redirectUrl"],
            "_links": {
                "self": _link(f"{API}/payments/{payment_id}"),
                "checkout": _link(f"{self.page}/checkout/{chosen or 'select-method'}/{payment_id[3:]}"),
                "dashboard": _link(f"https://www.mollie.com/dashboard/org_1/payments/{payment_id}"),
            },
            **{name: body[name] for name in ("cancelUrl", "locale", "webhookUrl") if name in body},
            **({"method": chosen} if chosen else {}),
        }
        if chosen == "banktransfer":
            self._arrange_transfer(payment)
        self.payments[payment_id] = payment
        return payment

    def _arrange_transfer(self, payment: dict[str, Any]) -> None:
        payment.update(
            method="banktransfer",
            isCancelable=True,
            expiresAt=(self.now + timedelta(days=14)).isoformat(),
            details={
                "bankName": "Stichting Mollie Payments",
                "bankAccount": "NL53ABNA0627535577",
                "bankBic": "ABNANL2A",
                "transferReference": "RF12-3456-7890-1234",
            },
        )

    def _show(self, payment: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        if query.keys() - {"embed"}:
            raise Refusal(400, "Unknown query string parameter")
        embed = query.get("embed")
        if embed is None:
            return payment
        if embed != "refunds":
            raise Refusal(400, "Invalid embed", "embed")
        return {**payment, "_embedded": {"refunds": self._refunds_of(payment["id"])}}

    def _end(self, payment_id: str, status: str, **changes: Any) -> None:
        payment = self.payments[payment_id]
        assert payment["status"] in {"open", "pending", "authorized"}
        payment.update(status=status, **changes)
        payment[f"{status}At"] = self.now.isoformat()
        for name in ("isCancelable", "expiresAt"):
            payment.pop(name, None)
        payment["_links"].pop("checkout", None)

    def _cancel(self, payment: dict[str, Any]) -> dict[str, Any]:
        if not payment.get("isCancelable"):
            raise Refusal(422, "The payment cannot be canceled")
        self._end(payment["id"], "canceled")
        return payment

    def _refund(self, payment: dict[str, Any], body: Any) -> dict[str, Any]:
        _check_fields(body, {"amount", "description", "metadata"})
        _check_text(body, "description", 140)
        value = _check_amount(body)
        made = self._refunds_of(payment["id"])
        if payment["status"] != "paid":
            raise Refusal(422, "The payment cannot be refunded")
        if body["amount"]["currency"] != payment["amount"]["currency"]:
            raise Refusal(422, "The currency is not the payment's", "amount.currency")
        if any(self._is_duplicate(refund, value) for refund in made):
            raise Refusal(409, "A duplicate refund has been detected")
        taken = sum(Decimal(r["amount"]["value"]) for r in made if r["status"] != "failed")
        if value + taken > Decimal(payment["amount"]["value"]):
            raise Refusal(422, "The specified amount cannot be refunded", "amount")
        refund_id = f"re_{secrets.token_hex(5)}"
        self.refunds[refund_id] = {
            "resource": "refund",
            "id": refund_id,
            "mode": self.mode,
            "description": body["description"],
            "amount": dict(body["amount"]),
            "status": "pending",
            "metadata": body.get("metadata"),
            "paymentId": payment["id"],
            "createdAt": self.now.isoformat(),
            "_links": {
                "self": _link(f"{API}/payments/{payment['id']}/refunds/{refund_id}"),
                "payment": _link(f"{API}/payments/{payment['id']}"),
                "documentation": _link("https://docs.mollie.com/reference/get-refund"),
            },
        }
        return self.refunds[refund_id]

    def _is_duplicate(self, refund: dict[str, Any], value: Decimal) -> bool:
        made_at = datetime.fromisoformat(refund["createdAt"])
        return Decimal(refund["amount"]["value"]) == value and self.now - made_at <= timedelta(hours=1)

    def _refunds_of(self, payment_id: str) -> list[dict[str, Any]]:
        return [refund for refund in self.refunds.values() if refund["paymentId"] == payment_id][::-1]

    def _list_refunds(self, payment_id: str, query: dict[str, str]) -> dict[str, Any]:
        if query.keys() - {"from", "limit"} or not 1 <= int(query.get("limit", "50")) <= 250:
            raise Refusal(400, "Invalid query string parameter")
        found = self._refunds_of(payment_id)
        start = next((i for i, refund in enumerate(found) if refund["id"] == query.get("from")), 0)
        if query.get("from") and found[start]["id"] != query["from"]:
            raise Refusal(400, "Invalid cursor value", "from")
        end = start + min(int(query.get("limit", "50")), self.page_size)
        following = urlencode({"from": found[end]["id"], "limit": query["limit"]}) if end < len(found) else ""
        url = f"{API}/payments/{payment_id}/refunds"
        return {
            "count": len(found[start:end]),
            "_embedded": {"refunds": found[start:end]},
            "_links": {
                "self": _link(url),
                "previous": None,
                "next": _link(f"{url}?{following}") if following else None,
            },
        }

    def _profile(self) -> dict[str, Any]:
        return {
            "resource": "profile",
            "id": PROFILE,
            "mode": self.mode,
            "name": "The Paper Lantern",
            "website": "https://shop.example",
            "email": "hello@shop.example",
            "phone": "+31208202070",
            "businessCategory": "OTHER_MERCHANDISE",
            "status": self.profile_status,
            "createdAt": self.now.isoformat(),
            "_links": {"self": _link(f"{API}/profiles/{PROFILE}")},
        }


def message(payment_id: str) -> tuple[dict[str, str], bytes]:
    """The headers and body of a call of a payment's webhook."""
    return {"Content-Type": "application/x-www-form-urlencoded"}, f"id={payment_id}".encode()


def error(status: int, detail: str, field: str = "") -> Answer:
    """An error as Mollie writes it."""
    body = {
        "status": status,
        "title": _TITLES.get(status, "Error"),
        "detail": detail,
        **({"field": field} if field else {}),
        "_links": {"documentation": {"href": "https://docs.mollie.com/errors", "type": "text/html"}},
    }
    return _json(status, body)


def _check_payment(body: Any) -> None:
    _check_fields(body, _PAYMENT_FIELDS)
    _check_amount(body)
    _check_text(body, "description", 255)
    _check_text(body, "redirectUrl", 2048)
    for name in ("cancelUrl", "redirectUrl", "webhookUrl"):
        if name in body and not re.match(r"https?://", body[name]):
            raise Refusal(422, "The URL is invalid", name)
    if "127.0.0.1" in body.get("webhookUrl", "") or "localhost" in body.get("webhookUrl", ""):
        raise Refusal(422, "The webhook URL is unreachable from Mollie's point of view", "webhookUrl")
    if "locale" in body and body["locale"] not in _LOCALES:
        raise Refusal(422, "The locale is invalid", "locale")
    _check_method(body.get("method"))
    if len(json.dumps(body.get("metadata"))) > 1024:
        raise Refusal(422, "The metadata is too large", "metadata")


def _check_text(body: Any, name: str, longest: int) -> None:
    if not isinstance(body.get(name), str) or not body[name]:
        raise Refusal(422, f"The '{name}' field is missing", name)
    if len(body[name]) > longest:
        raise Refusal(422, f"The '{name}' field is too long", name)


def _check_method(method: Any) -> None:
    names = method if isinstance(method, list) else [] if method is None else [method]
    if method == [] or not all(isinstance(name, str) and name in _METHODS for name in names):
        raise Refusal(422, "The payment method is invalid", "method")


def _check_fields(body: Any, known: set[str]) -> None:
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not valid JSON")
    if unknown := sorted(body.keys() - known):
        raise Refusal(422, "Non-existent body parameter for this API call", unknown[0])


def _check_amount(body: Any) -> Decimal:
    amount = body.get("amount")
    if not isinstance(amount, dict) or amount.keys() != {"currency", "value"}:
        raise Refusal(422, "The amount is missing or incomplete", "amount")
    places = _CURRENCIES.get(amount["currency"])
    if places is None:
        raise Refusal(422, "The currency is not supported", "amount.currency")
    form = r"(0|[1-9]\d*)" + (rf"\.\d{{{places}}}" if places else "")
    if not isinstance(amount["value"], str) or not re.fullmatch(form, amount["value"], re.ASCII):
        raise Refusal(422, "The amount contains an invalid value", "amount")
    value = Decimal(amount["value"])
    if not 0 < value <= 1_000_000:
        raise Refusal(422, "The amount is higher than the maximum, or not positive", "amount")
    return value


def _link(href: str) -> dict[str, str]:
    return {"href": href, "type": "application/hal+json"}


def _json(status: int, value: Any) -> Answer:
    return status, {"Content-Type": "application/hal+json"}, json.dumps(value)
