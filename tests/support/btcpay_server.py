"""A BTCPay Server behind its Greenfield API, as far as the backend asks it: invoices, payments,
refunds, webhooks.

Written from BTCPay Server's own specification (BTCPayServer/wwwroot/swagger/v1 of its repository,
2.3 and 2.4), and as strict: an undocumented path, query parameter or property of a body fails the
test that sent it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import responses

from snipcart_checkout.snipcart.money import get_decimals

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    Answer = tuple[int, dict[str, str], str]

URL = "https://btcpay.shop.example"
STORE_ID = "9CiNzKoANXxmk5ayZngSXrHTiVvvgCrwrpFQd4m2K776"
API_KEY = "c1a5e0f3b7d94286ac0ef15d72b3498c60d1e2f7"
WEBHOOK_SECRET = "3kTqWm9ZsV1nYxBd7RfG5hLcJ8Pa"
RATE = Decimal(50_000)  # of one bitcoin in any currency
SATOSHI = Decimal("0.00000001")
PERMISSIONS = (
    "canviewinvoices",
    "cancreateinvoice",
    "canmodifyinvoices",
    "canviewpullpayments",
    "cancreatenonapprovedpullpayments",
)

# additionalProperties is false in each of these schemas.
CREATE_FIELDS = {"metadata", "checkout", "receipt", "amount", "currency", "additionalSearchTerms"}
CHECKOUT_FIELDS = {
    "speedPolicy",
    "paymentMethods",
    "defaultPaymentMethod",
    "lazyPaymentMethods",
    "expirationMinutes",
    "monitoringMinutes",
    "paymentTolerance",
    "redirectURL",
    "redirectAutomatically",
    "defaultLanguage",
}
REFUND_FIELDS = {
    "name",
    "description",
    "payoutMethods",
    "refundVariant",
    "subtractPercentage",
    "customAmount",
    "customCurrency",
}
LIST_PARAMETERS = {
    "orderId",
    "status",
    "textSearch",
    "startDate",
    "endDate",
    "skip",
    "take",
    "includePaymentMethods",
}
LANGUAGES = set(
    "am ar az bg bs ca cs da de el en es fa fi fr he hi hr hu hy id is it ja ka kk ko lv nl no np pl pt ro ru sk "
    "sl sr sv th tr uk vi zh zu".split()
)


class BTCPayServer:
    """One store. ``requests`` is every request, parsed; ``answer_next`` breaks the next one."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.invoices: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, list[dict[str, Any]]] = {}
        self.pull_payments: dict[str, dict[str, Any]] = {}
        self.payouts: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.page = URL
        self.permissions = [f"btcpay.store.{name}:{STORE_ID}" for name in PERMISSIONS]
        self.address = "bc1q0h5nscxnmkhskl6l8ht6cl8ac6x4m8e8p3q4t7"
        self.tolerance = Decimal(0)
        self.version = "2.4"  # or an older one, or a later one that drops what is not documented any more
        self._next: list[Answer | Exception] = []
        self._meanwhile: list[Callable[[], object]] = []
        self._spoil: Callable[[dict[str, Any]], object] | None = None
        for method in (responses.GET, responses.POST):
            mock.add_callback(method, re.compile(re.escape(URL) + "/.*"), callback=self._answer)

    # What happens at BTCPay Server ---------------------------------------------------------------------------

    def shopper_pays(
        self, invoice_id: str, amount: str | None = None, *, confirmed: bool = True, fee: str = "0"
    ) -> None:
        """Coins arrive: for the rest of the invoice, or worth ``amount`` in its currency."""
        invoice = self.invoices[invoice_id]
        asked = Decimal(amount) if amount else Decimal(invoice["amount"]) - self._paid(invoice_id)
        coins = (asked / RATE).quantize(SATOSHI, ROUND_UP) + Decimal(fee)
        status = "Settled" if confirmed else "Processing"
        payment = {"id": secrets.token_hex(32), "value": coins, "fee": Decimal(fee), "status": status}
        self.payments[invoice_id].append(payment)
        self._update(invoice_id)

    def payments_confirm(self, invoice_id: str) -> None:
        """A block is found."""
        for payment in self.payments[invoice_id]:
            payment["status"] = "Settled"
        self._update(invoice_id)

    def payments_are_replaced(self, invoice_id: str) -> None:
        """The coins are spent elsewhere."""
        for payment in self.payments[invoice_id]:
            payment["status"] = "Invalid"
        self._update(invoice_id)

    def time_runs_out(self, invoice_id: str) -> None:
        """The invoice expires."""
        invoice = self.invoices[invoice_id]
        invoice["expirationTime"] = int(time.time()) - 1
        self._update(invoice_id)

    def monitoring_ends(self, invoice_id: str) -> None:
        """A day later, what is not confirmed yet fails."""
        invoice = self.invoices[invoice_id]
        if invoice["status"] == "Processing":
            invoice["status"] = "Invalid"

    def merchant_marks(self, invoice_id: str, status: str) -> None:
        """The merchant marks an invoice by hand."""
        self.invoices[invoice_id].update(status=status, additionalStatus="Marked")

    def merchant_archives(self, invoice_id: str) -> None:
        self.invoices[invoice_id]["archived"] = True

    def customer_claims(self, pull_payment_id: str, amount: str, state: str = "AwaitingApproval") -> None:
        self.payouts[pull_payment_id].append(
            {"id": secrets.token_hex(8), "originalAmount": amount, "state": state}
        )

    def answer_next(self, status: int | Exception, body: Any = None, raw: str = "") -> None:
        """Answer the next request with this, and do nothing."""
        if isinstance(status, Exception):
            self._next.append(status)
        else:
            self._next.append((status, {}, raw or json.dumps(body)))

    def lose_next_answer(self) -> None:
        """Do what the next POST asks, and let the answer get lost."""
        self._spoil = _get_lost

    def change_next_answer(self, **changes: Any) -> None:
        """Answer the next request with other values than are true."""
        self._spoil = lambda found: found.update(changes)

    def meanwhile(self, action: Callable[[], object]) -> None:
        """Let something happen just before the next POST is answered."""
        self._meanwhile.append(action)

    @property
    def invoice(self) -> dict[str, Any]:
        """The only invoice there is."""
        (invoice,) = self.invoices.values()
        return invoice

    @property
    def pull_payment(self) -> dict[str, Any]:
        """The only pull payment there is."""
        (pull_payment,) = self.pull_payments.values()
        return pull_payment

    def posts(self, ending: str = "/invoices") -> list[Any]:
        return [body for method, path, body in self.requests if method == "POST" and path.endswith(ending)]

    def event(self, event_type: str, **fields: Any) -> tuple[dict[str, str], bytes]:
        """A genuine event, as its headers and body arrive."""
        event = {
            "deliveryId": secrets.token_hex(8),
            "webhookId": "3p5ya2S2cnCxBNBm",
            "originalDeliveryId": secrets.token_hex(8),
            "isRedelivery": False,
            "type": event_type,
            "timestamp": int(time.time()),
            "storeId": STORE_ID,
            **fields,
        }
        body = json.dumps(event, indent=2).encode()
        return {"BTCPay-Sig": signature(body), "Content-Type": "application/json; charset=utf-8"}, body

    # The state of an invoice ---------------------------------------------------------------------------------

    def _paid(self, invoice_id: str) -> Decimal:
        return sum(
            (
                (payment["value"] - payment["fee"]) * RATE
                for payment in self.payments[invoice_id]
                if payment["status"] != "Invalid"
            ),
            Decimal(0),
        )

    def _is_paid_over(self, invoice_id: str) -> bool:
        # What is too much by less than a satoshi is dust.
        return self._due(invoice_id) < 0

    def _due(self, invoice_id: str) -> Decimal:
        amount = Decimal(self.invoices[invoice_id]["amount"])
        asked = (amount / RATE).quantize(SATOSHI, ROUND_UP)
        return asked - self._paid(invoice_id) / RATE

    def _update(self, invoice_id: str) -> None:
        invoice, paid = self.invoices[invoice_id], self._paid(invoice_id)
        is_enough = paid >= Decimal(invoice["amount"]) * (1 - self.tolerance / 100)
        confirmed = all(payment["status"] != "Processing" for payment in self.payments[invoice_id])
        if invoice["status"] in {"New", "Processing"}:
            if is_enough:
                over = "PaidOver" if self._is_paid_over(invoice_id) else "None"
                invoice.update(status="Settled" if confirmed else "Processing", additionalStatus=over)
            else:
                expired = invoice["expirationTime"] < time.time()
                partial = "PaidPartial" if paid else "None"
                invoice.update(status="Expired" if expired else "New", additionalStatus=partial)
        elif invoice["status"] == "Expired" and paid:
            invoice["additionalStatus"] = "PaidLate" if is_enough else "PaidPartial"

    def _shown(self, invoice_id: str) -> dict[str, Any]:
        invoice = self.invoices[invoice_id]
        places = Decimal(1).scaleb(-get_decimals(invoice["currency"]))
        if self.version < "2.1.2":
            return dict(invoice)
        return {**invoice, "paidAmount": str(self._paid(invoice_id).quantize(places, ROUND_HALF_EVEN))}

    # Answers -------------------------------------------------------------------------------------------------

    def _answer(self, request: PreparedRequest) -> Answer:
        parts = urlsplit(request.url or "")
        query = parse_qs(parts.query, keep_blank_values=True)
        body = _read_body(request)
        self.requests.append((request.method or "", parts.path, query if request.method == "GET" else body))
        if request.method == "POST" and self._meanwhile:
            self._meanwhile.pop(0)()
        if self._next:
            answer = self._next.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if request.headers.get("Authorization") != f"token {API_KEY}":
            return _problem(401, "unauthenticated")
        return self._with_fault(self._route(request.method or "", parts.path, query, body))

    def _with_fault(self, answer: Answer) -> Answer:
        spoil, self._spoil = self._spoil, None
        if spoil is None:
            return answer
        found = json.loads(answer[2])
        spoil(found[0] if isinstance(found, list) else found)
        return answer[0], answer[1], json.dumps(found)

    def _route(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        assert path.startswith("/api/v1/"), f"{path} is not of the Greenfield API"
        parts = self._with_store(path.removeprefix("/api/v1/").split("/"))
        if parts is None:
            return 404, {}, ""
        match method, parts:
            case "GET", ["stores", store_id, "invoices"]:
                return self._may("canviewinvoices", store_id) or self._list(query)
            case "POST", ["stores", store_id, "invoices"]:
                return self._may("cancreateinvoice", store_id) or self._create(body)
            case "GET", ["stores", store_id, "invoices", invoice_id]:
                return self._may("canviewinvoices", store_id) or self._show(invoice_id)
            case "GET", ["stores", store_id, "invoices", invoice_id, "payment-methods"]:
                return self._may("canviewinvoices", store_id) or self._payment_methods(invoice_id)
            case "POST", ["stores", store_id, "invoices", invoice_id, "status"]:
                return self._may("canmodifyinvoices", store_id) or self._mark(invoice_id, body)
            case "POST", ["stores", store_id, "invoices", invoice_id, "refund"]:
                needed = "cancreatenonapprovedpullpayments"
                return self._may(needed, store_id) or self._refund(invoice_id, body)
            case "GET", ["stores", store_id, "pull-payments"]:
                return self._may("canviewpullpayments", store_id) or self._list_pull_payments(query)
            case "GET", ["pull-payments", pull_payment_id]:
                found = self.pull_payments.get(pull_payment_id)
                return _ok(found) if found else _problem(404, "pullpayment-not-found")
            case "GET", ["pull-payments", pull_payment_id, "payouts"]:
                return _ok(self.payouts[pull_payment_id])
            case "GET", ["api-keys", "current"]:
                return _ok({"apiKey": API_KEY, "label": "shop", "permissions": self.permissions})
        raise AssertionError(f"{method} {path} is not documented")

    def _with_store(self, parts: list[str]) -> list[str] | None:
        """The path with the store's id: 2.4 resolves the store from the invoice, and knows the
        older paths too.
        """
        match parts:
            case ["invoices", _invoice_id, *_rest]:
                return None if self.version < "2.4" else ["stores", STORE_ID, *parts]
            case ["stores", _store_id, "invoices", _invoice_id, *_rest] if self.version > "2.4":
                return None
        return parts

    def _may(self, permission: str, store_id: str) -> Answer | None:
        name = f"btcpay.store.{permission}"
        if store_id == STORE_ID and {name, f"{name}:{STORE_ID}"} & set(self.permissions):
            return None
        return (
            403,
            {},
            json.dumps({"code": "missing-permission", "missingPermission": name, "message": "Raw."}),
        )

    def _list(self, query: dict[str, list[str]]) -> Answer:
        assert query.keys() <= LIST_PARAMETERS
        wanted = query.get("orderId")
        newest = sorted(self.invoices.values(), key=lambda invoice: -invoice["createdTime"])
        found = [
            self._shown(invoice["id"])
            for invoice in newest
            if not invoice["archived"] and (wanted is None or invoice["metadata"].get("orderId") in wanted)
        ]
        return _ok(found[: int(query.get("take", ["1000"])[0])])

    def _create(self, body: dict[str, Any]) -> Answer:
        assert body.keys() <= CREATE_FIELDS
        checkout = body.get("checkout") or {}
        assert checkout.keys() <= CHECKOUT_FIELDS
        assert isinstance(body["amount"], str)
        language = checkout.get("defaultLanguage")
        if language and language.partition("-")[0] not in LANGUAGES:
            return _invalid("checkout.defaultLanguage")
        if Decimal(body["amount"]) < 0:
            return _invalid("amount")
        invoice_id = secrets.token_urlsafe(16).replace("-", "x").replace("_", "y")
        now = int(time.time())
        self.payments[invoice_id] = []
        self.invoices[invoice_id] = {
            "id": invoice_id,
            "storeId": STORE_ID,
            "amount": body["amount"],
            "currency": body["currency"],
            "type": "Standard",
            "checkoutLink": f"{self.page}/i/{invoice_id}",
            "createdTime": now + len(self.invoices),
            "expirationTime": now + 900,
            "monitoringExpiration": now + 900 + 86400,
            "status": "New",
            "additionalStatus": "None",
            "availableStatusesForManualMarking": ["Settled", "Invalid"],
            "archived": False,
            "metadata": body.get("metadata") or {},
            "checkout": checkout,
            "receipt": {"enabled": None, "showQR": None, "showPayments": None},
        }
        return _ok(self._shown(invoice_id))

    def _show(self, invoice_id: str) -> Answer:
        found = invoice_id in self.invoices
        return _ok(self._shown(invoice_id)) if found else _problem(404, "invoice-not-found")

    def _payment_methods(self, invoice_id: str) -> Answer:
        if invoice_id not in self.invoices:
            return _problem(404, "invoice-not-found")
        payments = [
            {
                "id": payment["id"],
                "receivedDate": int(time.time()),
                "value": f"{payment['value']:f}",
                "fee": f"{payment['fee']:f}",
                "status": payment["status"],
                "destination": self.address,
            }
            for payment in self.payments[invoice_id]
            if payment["status"] != "Invalid"  # onlyAccountedPayments is true by default
        ]
        return _ok(
            [
                self._payment_method("BTC-CHAIN", self.address, invoice_id, payments),
                self._payment_method("BTC-LN", None, invoice_id, []),
            ]
        )

    def _payment_method(
        self, name: str, destination: str | None, invoice_id: str, payments: list[dict[str, Any]]
    ) -> dict[str, Any]:
        return {
            "paymentMethodId": name,
            "currency": "BTC",
            "destination": destination,
            "paymentLink": "",
            "rate": str(RATE) if destination else "0",
            "due": f"{self._due(invoice_id):f}" if destination else "0",
            "activated": destination is not None,
            "payments": payments,
        }

    def _mark(self, invoice_id: str, body: dict[str, Any]) -> Answer:
        assert body == {"status": "Invalid"}
        invoice = self.invoices[invoice_id]
        if invoice["status"] in {"Settled", "Invalid"} and invoice["additionalStatus"] != "Marked":
            return _invalid("Status")
        before = self._shown(invoice_id)  # 2.4 answers with what was true before
        invoice.update(status="Invalid", additionalStatus="Marked")
        return _ok(before)

    def _refund(self, invoice_id: str, body: dict[str, Any]) -> Answer:
        assert body.keys() <= REFUND_FIELDS
        assert body["refundVariant"] == "Custom"
        invoice = self.invoices[invoice_id]
        late = {"PaidLate", "PaidOver", "PaidPartial"}
        is_late = invoice["status"] == "Expired" and invoice["additionalStatus"] in late
        if invoice["status"] not in {"Settled", "Invalid"} and not is_late:
            return _problem(400, "non-refundable")
        if Decimal(body["customAmount"]) <= 0:
            return _invalid("customAmount")
        made = {
            "id": secrets.token_hex(10),
            "name": body["name"],
            "description": body["description"],
            "currency": body["customCurrency"],
            "amount": body["customAmount"],
            "autoApproveClaims": False,
            "archived": False,
        }
        made["viewLink"] = f"{URL}/pull-payments/{made['id']}"
        self.pull_payments[made["id"]] = made
        self.payouts[made["id"]] = []
        return _ok(made)

    def _list_pull_payments(self, query: dict[str, list[str]]) -> Answer:
        assert query.keys() <= {"includeArchived"}
        archived = query.get("includeArchived") == ["true"]
        return _ok([made for made in self.pull_payments.values() if archived or not made["archived"]])


def signature(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    """The BTCPay-Sig header of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _read_body(request: PreparedRequest) -> Any:
    if request.method != "POST":
        return None
    assert request.headers["Content-Type"] == "application/json"
    return json.loads(request.body or b"")


def _get_lost(_found: object) -> None:
    raise ConnectionResetError("connection reset by peer")


def _ok(found: Any) -> Answer:
    return 200, {}, json.dumps(found)


def _problem(status: int, code: str) -> Answer:
    return status, {}, json.dumps({"code": code, "message": "Raw words of the server."})


def _invalid(path: str) -> Answer:
    return 422, {}, json.dumps([{"path": path, "message": "Raw words of the server."}])
