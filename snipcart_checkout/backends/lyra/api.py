"""Calls to Lyra's REST API, version 4: one request each, never repeated, never logged.

Every web service is a POST of JSON, with the shop's number and password as HTTP Basic authentication, and every answer
is an envelope (https://docs.lyra.com/en/rest/V4.0/api/kb/webservice_usage.html): ``status`` says SUCCESS or ERROR,
``mode`` TEST or PRODUCTION, ``answer`` the rest. The HTTP status is 200 for errors, too; 401 may stand for a wrong
password. The address is the same in both modes: the password decides, so the mode is compared in every answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.lyra.errors import TRANSACTION_NOT_FOUND, is_refusal, to_error_code
from snipcart_checkout.backends.lyra.objects import PaymentOrder, Transaction
from snipcart_checkout.exceptions import BadAnswer
from snipcart_checkout.snipcart.reading import read_json

if TYPE_CHECKING:
    from snipcart_checkout.backends.http import ProviderSession

_READABLE: Final = frozenset({200, 401})
MODES: Final = {True: "TEST", False: "PRODUCTION"}


class LyraOutcomeUnknown(Exception):
    """Lyra gave no usable answer, so what came of the call is not known. The text is fit for a log."""


class LyraRefused(Exception):
    """Lyra answered that it did not do what it was asked. ``code`` is Lyra's; the text is fit for a log."""

    def __init__(self, text: str, *, code: str) -> None:
        super().__init__(text)
        self.code = code


class LyraApi:
    """What the backend asks of Lyra.

    Every method raises LyraRefused, LyraOutcomeUnknown or ProviderUnavailable, and nothing else.
    """

    def __init__(
        self, http: ProviderSession, *, url: str, shop_id: str, password: str, is_test: bool
    ) -> None:
        self._http = http
        self._url = url
        self._credentials = (shop_id, password)
        self._mode = MODES[is_test]

    def echo(self, value: str) -> str:
        """Return what Lyra's own test of the connection sends back."""
        return str(self._request("Charge/SDKTest", {"value": value}).get("value"))

    def create_payment_order(self, params: Mapping[str, Any]) -> PaymentOrder:
        """Create a payment order. Lyra has no idempotency keys: a repeat makes another one."""
        return _usable_order(self._request("Charge/CreatePaymentOrder", params))

    def payment_order(self, payment_order_id: str) -> PaymentOrder:
        """Return a payment order as it is now."""
        order = _usable_order(self._request("Charge/PaymentOrder/Get", {"paymentOrderId": payment_order_id}))
        if order.id != payment_order_id:
            raise LyraOutcomeUnknown("Lyra answered with another payment order")
        return order

    def cancel_payment_order(self, payment_order_id: str) -> None:
        """End a running payment order; LyraRefused when it is not running any more."""
        self._request("Charge/PaymentOrder/Cancel", {"paymentOrderId": payment_order_id})

    def transactions(self, order_id: str) -> list[Transaction]:
        """Return every transaction of an order, refunds too; none where nobody has tried to pay it."""
        try:
            answer = self._request("Order/Get", {"orderId": order_id})
        except LyraRefused as refusal:
            if refusal.code == TRANSACTION_NOT_FOUND:
                return []
            raise
        entries = answer.get("transactions")
        if not isinstance(entries, list):
            raise LyraOutcomeUnknown("Lyra answered with an order without a list of transactions")
        transactions = [Transaction.from_json(entry) for entry in entries]
        named = [answer.get("orderId"), *(transaction.order_id for transaction in transactions)]
        if order_id not in named or any(name not in (None, "", order_id) for name in named):
            raise LyraOutcomeUnknown("Lyra answered with another order")
        return transactions

    def transaction(self, uuid: str) -> Transaction:
        """Return a transaction."""
        return Transaction.from_json(self._request("Transaction/Get", {"uuid": uuid}))

    def cancel(self, uuid: str, *, comment: str) -> Transaction:
        """Cancel a transaction as a whole, and return it; LyraRefused once it is captured."""
        params = {"uuid": uuid, "resolutionMode": "CANCELLATION_ONLY", "comment": comment}
        return Transaction.from_json(self._request("Transaction/CancelOrRefund", params))

    def refund(self, uuid: str, *, amount: int, currency: str, comment: str) -> Transaction:
        """Refund a captured transaction, and return the refund; a repeat makes another one."""
        params = {
            "uuid": uuid,
            "amount": amount,
            "currency": currency,
            "resolutionMode": "REFUND_ONLY",
            "comment": comment,
        }
        return Transaction.from_json(self._request("Transaction/CancelOrRefund", params))

    def set_amount(self, uuid: str, *, amount: int, currency: str, comment: str) -> Transaction:
        """Lower the amount of a card transaction that is not captured yet, and return it."""
        card = {"amount": amount, "currency": currency}
        params = {"uuid": uuid, "cardUpdate": card, "comment": comment}
        return Transaction.from_json(self._request("Transaction/Update", params))

    def _request(self, service: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        envelope = self._envelope(service, params)
        status, mode, answer = (envelope.get(name) for name in ("status", "mode", "answer"))
        if status == "ERROR" and mode in (None, self._mode):
            raise _failure(service, answer)
        if status != "SUCCESS" or not isinstance(answer, dict):
            raise LyraOutcomeUnknown(f"Lyra answered {service} with neither success nor error")
        if mode != self._mode:
            raise LyraOutcomeUnknown(f"Lyra answered {service} in the other mode than {self._mode}")
        return answer

    def _envelope(self, service: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        failure: Exception
        try:
            response = self._http.post(
                f"{self._url}/api-payment/V4/{service}", json=params, auth=self._credentials
            )
            envelope = read_json(response.content) if response.status_code in _READABLE else None
            if isinstance(envelope, dict):
                return envelope
            failure = LyraOutcomeUnknown(
                f"Lyra's answer to {service} has the HTTP status {response.status_code}"
            )
        except ProviderUnavailable as error:
            failure = ProviderUnavailable(f"{service}: {error}", was_sent=error.was_sent)
        except BadAnswer:
            failure = LyraOutcomeUnknown(f"Lyra's answer to {service} is not acceptable JSON")
        except Exception as error:  # whatever it is, it may hold the password
            failure = LyraOutcomeUnknown(f"calling {service} of Lyra raised {type(error).__name__}")
        # Outside of the handler, so that what was raised is not even the context of ours.
        raise failure


def _usable_order(answer: Mapping[str, Any]) -> PaymentOrder:
    order = PaymentOrder.from_json(answer)
    if not order.id or not order.status:
        raise LyraOutcomeUnknown("Lyra answered with a payment order without id or status")
    return order


def _failure(service: str, answer: object) -> LyraRefused | LyraOutcomeUnknown:
    code = to_error_code(answer.get("errorCode")) if isinstance(answer, dict) else ""
    text = f"Lyra answered {service} with the error {code or 'of no known form'}"
    return LyraRefused(text, code=code) if is_refusal(code) else LyraOutcomeUnknown(text)
