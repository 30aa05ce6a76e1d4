"""A shop of Lyra's behind the REST API V4, as far as the backend asks it: payment orders, transactions, refunds.

Services, fields, errors and statuses have the shape of https://docs.lyra.com/en/rest/V4.0/api/reference.html; everything
happens below ``requests``, by ``responses``. It is strict: a parameter that the service does not have, or one of another
type, is refused as Lyra refuses it.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests
import responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    Answer = tuple[int, dict[str, str], str]

API = "https://api.systempay.fr"
PAGE = "https://paiement.systempay.fr"
SHOP_ID = "69876357"
LIVE_PASSWORD = "prodpassword_KmsHiyWyJEaMBn5sO2gLdxYyVjMZKPBSaDDSuOrMuXikD"
TEST_PASSWORD = "testpassword_DEMOPRIVATEKEY23G4475zXZQ2UA5x7MAbCdEfGh"
HMAC_KEY = "38453613e7f44dc58732bad3dca2bca3"

_SERVICES: dict[str, dict[str, type]] = {
    "Charge/SDKTest": {"value": str},
    "Charge/CreatePaymentOrder": {
        "amount": int,
        "cancelUrl": str,
        "channelOptions": dict,
        "currency": str,
        "customer": dict,
        "dataCollectionForm": bool,
        "description": str,
        "errorUrl": str,
        "expirationDate": str,
        "formAction": str,
        "ipnTargetUrl": str,
        "locale": str,
        "merchantComment": str,
        "metadata": dict,
        "orderId": str,
        "paymentMethods": list,
        "paymentReceiptEmail": str,
        "refusedUrl": str,
        "returnMode": str,
        "returnUrl": str,
        "strongAuthentication": str,
        "successUrl": str,
        "taxAmount": int,
        "taxRate": int,
        "transactionOptions": dict,
    },
    "Charge/PaymentOrder/Get": {"paymentOrderId": str},
    "Charge/PaymentOrder/Cancel": {"paymentOrderId": str},
    "Order/Get": {"orderId": str, "operationType": str},
    "Transaction/Get": {"uuid": str},
    "Transaction/CancelOrRefund": {
        "uuid": str,
        "amount": int,
        "currency": str,
        "resolutionMode": str,
        "comment": str,
    },
    "Transaction/Update": {"uuid": str, "cardUpdate": dict, "comment": str},
}
_NOT_CAPTURED = frozenset(
    {"AUTHORISED", "AUTHORISED_TO_VALIDATE", "WAITING_AUTHORISATION", "WAITING_AUTHORISATION_TO_VALIDATE"}
)
_LOCALES = frozenset(
    "de_DE en_GB en_US es_ES fr_FR it_IT ja_JP nl_NL pl_PL pt_BR pt_PT ru_RU sv_SE tr_TR zh_CN".split()
)
_CURRENCIES = frozenset({"EUR", "JPY", "KWD", "USD", "CNY"})


class Refusal(Exception):
    """Lyra's own error."""


class LyraAccount:
    """One shop. ``requests`` is every request, parsed; ``answer_next`` breaks the next one."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.transactions: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.page = PAGE
        self.return_url = ""
        self.credit_status = ("PAID", "AUTHORISED")
        self.modes = {LIVE_PASSWORD: "PRODUCTION", TEST_PASSWORD: "TEST"}
        self.locales = _LOCALES
        self._next: list[tuple[str, Answer | Exception | Callable[[dict[str, Any]], dict[str, Any]]]] = []
        self._meanwhile: list[tuple[str, Callable[[], object]]] = []
        self._seconds = 0
        mock.add_callback(responses.POST, re.compile(re.escape(API) + "/.*"), callback=self._answer)

    # What happens at Lyra ------------------------------------------------------------------------------------

    def shopper_pays(self, order_id: object, detailed_status: str = "AUTHORISED") -> str:
        """The shopper pays by card on Lyra's page; return the transaction's id."""
        order = self._running(order_id)
        uuid = self._attempt(order, "PAID", detailed_status)
        order["paymentOrderStatus"] = "PAID"
        return uuid

    def shopper_pays_slowly(self, order_id: object, detailed_status: str = "WAITING_AUTHORISATION") -> str:
        """The shopper pays in a way whose money comes later."""
        order = self._running(order_id)
        uuid = self._attempt(order, "RUNNING", detailed_status)
        order["paymentOrderStatus"] = "PAID"
        return uuid

    def card_is_refused(
        self,
        order_id: object,
        code: str | None = "ACQ_001",
        detailed: str | None = "51",
        *,
        final: bool = False,
    ) -> str:
        """An attempt fails; unless it is the last one, the page lets the shopper try another card."""
        order = self._running(order_id)
        uuid = self._attempt(order, "UNPAID", "REFUSED", errorCode=code, detailedErrorCode=detailed)
        if final:
            order["paymentOrderStatus"] = "REFUSED"
        return uuid

    def becomes(self, uuid: str, status: str, detailed_status: str) -> None:
        """A transaction changes."""
        self.transactions[uuid].update(status=status, detailedStatus=detailed_status)

    def is_captured(self, uuid: str) -> None:
        """A night has passed."""
        self.becomes(uuid, "PAID", "CAPTURED")

    def order_ends(self, order_id: object, status: str = "EXPIRED") -> None:
        """Its time is over."""
        self._running(order_id)["paymentOrderStatus"] = status

    def ages(self, order_id: object, minutes: int) -> None:
        """Minutes pass since the payment order was made."""
        order = self._order_of(order_id)
        made = datetime.fromisoformat(order["creationDate"]) - timedelta(minutes=minutes)
        order["creationDate"] = made.isoformat(timespec="seconds")

    def answer_next(
        self, status: int | Exception = 200, body: str | dict[str, Any] = "", *, service: str = ""
    ) -> None:
        """Answer the next request (of a service) with whatever status and body, and do nothing."""
        text = body if isinstance(body, str) else json.dumps(body)
        answer = (
            status if isinstance(status, Exception) else (status, {"Content-Type": "application/json"}, text)
        )
        self._next.append((service, answer))

    def fail_next(self, code: str, *, service: str = "") -> None:
        """Answer the next request (of a service) with one of Lyra's errors."""
        self.answer_next(200, self._envelope(service, "ERROR", _error(code), "PRODUCTION"), service=service)

    def change_next(self, change: Callable[[dict[str, Any]], dict[str, Any]], *, service: str = "") -> None:
        """Do what the next request (of a service) asks, and change the envelope that answers it."""
        self._next.append((service, change))

    def lose_next_answer(self, service: str) -> None:
        """Do what the next request of a service asks, and let the answer be lost."""

        def lose(_envelope: dict[str, Any]) -> dict[str, Any]:
            raise TimeoutError

        self.change_next(lose, service=service)

    def meanwhile(self, service: str, action: Callable[[], object]) -> None:
        """Let something happen just before the next request of a service is answered."""
        self._meanwhile.append((service, action))

    def of_order(self, order_id: object, operation: str = "DEBIT") -> list[dict[str, Any]]:
        return [
            entry
            for entry in self.transactions.values()
            if entry["orderDetails"]["orderId"] == str(order_id) and entry["operationType"] == operation
        ]

    def asked(self, service: str) -> list[dict[str, Any]]:
        """The parameters of every request of a service."""
        return [params for asked, params in self.requests if asked == service]

    # Answers -------------------------------------------------------------------------------------------------

    def _answer(self, request: PreparedRequest) -> Answer:
        assert request.headers["Content-Type"] == "application/json"
        assert isinstance(request.body, bytes)
        service = urlsplit(request.url or "").path.removeprefix("/api-payment/V4/")
        params = json.loads(request.body)
        self.requests.append((service, params))
        if self._meanwhile and self._meanwhile[0][0] == service:
            self._meanwhile.pop(0)[1]()
        broken = self._next.pop(0)[1] if self._next and self._next[0][0] in {"", service} else None
        if isinstance(broken, Exception):
            raise broken
        if isinstance(broken, tuple):
            return broken
        mode = self._mode_of(request)
        envelope = self._do(service, params, mode)
        try:
            return _json(broken(envelope) if broken else envelope)
        except TimeoutError:
            raise requests.ConnectionError("the answer was lost") from None

    def _mode_of(self, request: PreparedRequest) -> str | None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        shop_id, _, password = base64.b64decode(credentials).decode().partition(":")
        return self.modes.get(password) if scheme == "Basic" and shop_id == SHOP_ID else None

    def _do(self, service: str, params: dict[str, Any], mode: str | None) -> dict[str, Any]:
        try:
            if mode is None:
                raise Refusal("INT_905")
            _check(service, params)
            answer = self._route(service, params, mode)
        except Refusal as refusal:
            return self._envelope(service, "ERROR", _error(str(refusal)), mode)
        return self._envelope(service, "SUCCESS", answer, mode)

    def _route(self, service: str, params: dict[str, Any], mode: str) -> dict[str, Any]:
        match service:
            case "Charge/SDKTest":
                return {"value": params["value"], "_type": "V4/Charge/SDKTestResult"}
            case "Charge/CreatePaymentOrder":
                return self._create(params, mode)
            case "Charge/PaymentOrder/Get":
                return self._payment_order(params)
            case "Charge/PaymentOrder/Cancel":
                return self._cancel_order(params)
            case "Order/Get":
                return self._order(params)
            case "Transaction/Get":
                return self._transaction(params)
            case "Transaction/CancelOrRefund":
                return self._cancel_or_refund(params)
            case "Transaction/Update":
                return self._update(params)
        raise Refusal("INT_901")

    def _create(self, params: dict[str, Any], mode: str) -> dict[str, Any]:
        if not 0 < params["amount"] < 10**12:
            raise Refusal("INT_009")
        if params["currency"] not in _CURRENCIES:
            raise Refusal("PSP_610")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", params["orderId"]):
            raise Refusal("INT_013")
        if params["channelOptions"] != {"channelType": "URL"}:
            raise Refusal("INT_854")
        if params.get("locale", "fr_FR") not in self.locales:
            raise Refusal("INT_856")
        if not re.match(r"https://|http://(localhost|127\.0\.0\.1):", params.get("returnUrl", "https://")):
            raise Refusal("INT_920")
        if len(params.get("ipnTargetUrl", "")) > 255:
            raise Refusal("INT_926")
        if not re.fullmatch(r"[^@ ]+@[^@ ]+", params.get("customer", {}).get("email", "a@b.example")):
            raise Refusal("INT_015")
        _check_date(params["expirationDate"])
        payment_order_id = secrets.token_hex(16)
        self.return_url = params.get("returnUrl", "")
        self.orders[payment_order_id] = {
            "paymentOrderId": payment_order_id,
            "paymentURL": f"{self.page}/t/{secrets.token_hex(4)}",
            "paymentOrderStatus": "RUNNING",
            "creationDate": self._now(),
            "updateDate": None,
            "expirationDate": params["expirationDate"],
            "amount": params["amount"],
            "currency": params["currency"],
            "orderId": params["orderId"],
            "locale": params.get("locale", "fr_FR"),
            "channelDetails": {"channelType": "URL", "_type": "V4/ChannelDetails"},
            "customer": params.get("customer"),
            "formAction": "PAYMENT",
            "dataCollectionForm": False,
            "metadata": params.get("metadata"),
            "mode": mode,
            "_type": "V4/PaymentOrder",
        }
        return self._shown(self.orders[payment_order_id])

    def _payment_order(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["paymentOrderId"] not in self.orders:
            raise Refusal("PSP_1000")
        return self._shown(self.orders[params["paymentOrderId"]])

    def _cancel_order(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["paymentOrderId"] not in self.orders:
            raise Refusal("PSP_1000")
        order = self.orders[params["paymentOrderId"]]
        refused = {"PAID": "PSP_1005", "REFUSED": "PSP_1005", "EXPIRED": "PSP_1006", "CANCELLED": "PSP_1101"}
        if order["paymentOrderStatus"] in refused:
            raise Refusal(refused[order["paymentOrderStatus"]])
        order["paymentOrderStatus"] = "CANCELLED"
        return self._shown(order)

    def _order(self, params: dict[str, Any]) -> dict[str, Any]:
        found = [*self.of_order(params["orderId"]), *self.of_order(params["orderId"], "CREDIT")]
        if not found:
            raise Refusal("PSP_010")
        return {
            "orderId": params["orderId"],
            "shopId": SHOP_ID,
            "transactions": found,
            "_type": "V4/OrderTransactions",
        }

    def _transaction(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["uuid"] not in self.transactions:
            raise Refusal("PSP_010")
        return self.transactions[params["uuid"]]

    def _cancel_or_refund(self, params: dict[str, Any]) -> dict[str, Any]:
        debit = self._transaction(params)
        mode = params.get("resolutionMode", "AUTO")
        if mode == "AUTO":
            mode = "CANCELLATION_ONLY" if debit["detailedStatus"] in _NOT_CAPTURED else "REFUND_ONLY"
        if mode == "CANCELLATION_ONLY":
            return self._cancel(debit)
        if mode == "REFUND_ONLY":
            return self._refund(debit, params)
        raise Refusal("INT_001")

    def _cancel(self, debit: dict[str, Any]) -> dict[str, Any]:
        if debit["detailedStatus"] == "CANCELLED":
            raise Refusal("PSP_105")
        if debit["detailedStatus"] not in _NOT_CAPTURED:
            raise Refusal("PSP_075")
        debit.update(status="UNPAID", detailedStatus="CANCELLED")
        return debit

    def _refund(self, debit: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        if debit["detailedStatus"] in _NOT_CAPTURED:
            raise Refusal("PSP_076")
        if debit["detailedStatus"] != "CAPTURED":
            raise Refusal("PSP_083")
        if params["currency"] != debit["currency"]:
            raise Refusal("PSP_545")
        left = debit["amount"] - sum(
            entry["amount"]
            for entry in self.of_order(debit["orderDetails"]["orderId"], "CREDIT")
            if entry["status"] != "UNPAID"
        )
        if not left:
            raise Refusal("PSP_104")
        if params["amount"] > left:
            raise Refusal("PSP_511")
        status, detailed_status = self.credit_status
        # Every call makes another one: Lyra has no idempotency keys.
        return self._add(
            debit["orderDetails"]["orderId"],
            amount=params["amount"],
            currency=debit["currency"],
            mode=debit["orderDetails"]["mode"],
            operationType="CREDIT",
            status=status,
            detailedStatus=detailed_status,
            parent=debit["uuid"],
        )

    def _update(self, params: dict[str, Any]) -> dict[str, Any]:
        debit, card = self._transaction(params), params["cardUpdate"]
        if debit["detailedStatus"] not in _NOT_CAPTURED:
            raise Refusal("PSP_503")
        if card["currency"] != debit["currency"]:
            raise Refusal("PSP_545")
        if type(card["amount"]) is not int or not 0 < card["amount"] <= debit["amount"]:
            raise Refusal("PSP_546")
        debit["amount"] = card["amount"]
        return debit

    def _attempt(self, order: dict[str, Any], status: str, detailed_status: str, **fields: Any) -> str:
        added = self._add(
            order["orderId"],
            amount=order["amount"],
            currency=order["currency"],
            mode=order["mode"],
            operationType="DEBIT",
            status=status,
            detailedStatus=detailed_status,
            parent=None,
            **fields,
        )
        return str(added["uuid"])

    def _add(self, order_id: str, *, mode: str, parent: str | None, **fields: Any) -> dict[str, Any]:
        uuid = secrets.token_hex(16)
        self.transactions[uuid] = {
            "shopId": SHOP_ID,
            "uuid": uuid,
            "paymentMethodType": "CARD",
            "paymentMethodToken": None,
            "creationDate": self._now(),
            "errorCode": None,
            "errorMessage": None,
            "detailedErrorCode": None,
            "detailedErrorMessage": None,
            "orderDetails": {
                "orderTotalAmount": fields["amount"],
                "orderCurrency": fields["currency"],
                "mode": mode,
                "orderId": order_id,
                "metadata": None,
                "_type": "V4/OrderDetails",
            },
            "transactionDetails": {
                "creationContext": "REFUND" if parent else "CHARGE",
                "parentTransactionUuid": parent,
                "_type": "V4/TransactionDetails",
            },
            "metadata": None,
            "_type": "V4/Transaction",
            **fields,
        }
        return self.transactions[uuid]

    def _order_of(self, order_id: object) -> dict[str, Any]:
        (order,) = (order for order in self.orders.values() if order["orderId"] == str(order_id))
        return order

    def _running(self, order_id: object) -> dict[str, Any]:
        order = self._order_of(order_id)
        assert order["paymentOrderStatus"] == "RUNNING"
        return order

    def _shown(self, order: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in order.items() if name != "mode"}

    def _now(self) -> str:
        self._seconds += 1
        moment = datetime.now(UTC) - timedelta(hours=0, seconds=60 - self._seconds % 60)
        return moment.isoformat(timespec="seconds")

    def _envelope(
        self, service: str, status: str, answer: dict[str, Any], mode: str | None
    ) -> dict[str, Any]:
        return {
            "webService": service,
            "version": "V4",
            "applicationVersion": "6.25.0",
            "status": status,
            "answer": answer,
            "ticket": secrets.token_hex(16),
            "serverDate": self._now(),
            "applicationProvider": "SYSTEMPAY",
            "metadata": None,
            "mode": mode,
            "serverUrl": API,
            "_type": "V4/WebService/Response",
        }


def notification(reference: object, **wrong: Any) -> bytes:
    """The body of an IPN.

    ``key``, ``hash_key``, ``algorithm``, ``mode``, ``shop_id``, ``status``, ``answer``, ``hash`` replace the right
    ones, ``more`` adds fields.
    """
    answer = wrong.get("answer") or json.dumps(
        {
            "shopId": wrong.get("shop_id", SHOP_ID),
            "orderCycle": "CLOSED",
            "orderStatus": wrong.get("status", "PAID"),
            "serverDate": "2026-11-25T22:00:00+00:00",
            "orderDetails": {
                "orderTotalAmount": 1234,
                "orderCurrency": "EUR",
                "mode": wrong.get("mode", "PRODUCTION"),
                "orderId": None if reference is None else str(reference),
                "_type": "V4/OrderDetails",
            },
            "customer": {"email": "zoé@example.org", "_type": "V4/Customer/Customer"},
            "transactions": [{"uuid": "3c28bc9cfea343a99edfcbde833f09b9", "status": "PAID"}],
            "_type": "V4/Payment",
        },
        ensure_ascii=False,
    )
    key = wrong.get("key", LIVE_PASSWORD)
    fields = {
        "kr-hash-key": wrong.get("hash_key", "password"),
        "kr-hash-algorithm": wrong.get("algorithm", "sha256_hmac"),
        "kr-answer": answer,
        "kr-answer-type": "V4/Payment",
        "kr-hash": wrong.get("hash", hmac.new(key.encode(), answer.encode(), "sha256").hexdigest()),
    }
    return urlencode([*fields.items(), *wrong.get("more", ())]).encode()


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}


def _check(service: str, params: dict[str, Any]) -> None:
    known = _SERVICES.get(service)
    if known is None:
        raise Refusal("INT_901")
    for name, value in params.items():
        if name not in known:
            raise Refusal("INT_900")
        if type(value) is not known[name]:
            raise Refusal("INT_902")


def _check_date(text: str) -> None:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", text):
        raise Refusal("INT_855")
    now = datetime.now(UTC)
    if not now < datetime.fromisoformat(text) <= now + timedelta(days=90):
        raise Refusal("PSP_1007")


def _error(code: str) -> dict[str, Any]:
    return {
        "errorCode": code,
        "errorMessage": "Raw words of Lyra's.",
        "detailedErrorCode": None,
        "detailedErrorMessage": None,
        "ticket": "null",
        "shopId": SHOP_ID,
        "_type": "V4/WebService/WebServiceError",
    }


def _json(value: object) -> Answer:
    return 200, {"Content-Type": "application/json;charset=UTF-8"}, json.dumps(value)
