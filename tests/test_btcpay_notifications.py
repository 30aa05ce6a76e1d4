"""Which of BTCPay Server's events are believed, and which charge or refund they name."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.backends.btcpay.api import BTCPayRefused
from snipcart_checkout.backends.btcpay.notifications import EVENTS
from snipcart_checkout.exceptions import NotificationRefused
from tests.support.btcpay_charges import backend, left, refund_of
from tests.support.btcpay_server import BTCPayServer, signature

NOBODY = Notification(UUID(int=0))


def sent(btcpay: BTCPayServer, reference: UUID, **fields: Any) -> tuple[dict[str, str], bytes]:
    return btcpay.event("InvoiceSettled", invoiceId="x1", metadata={"orderId": str(reference)}, **fields)


@pytest.mark.parametrize("event", [name for name in EVENTS if name.startswith("Invoice")])
def test_an_event_of_an_invoice_names_its_charge(btcpay: BTCPayServer, event: str) -> None:
    reference = uuid4()
    headers, body = btcpay.event(event, invoiceId="x1", metadata={"orderId": str(reference)})
    assert backend().read_notification(headers, body) == Notification(reference)


def test_an_event_without_metadata_names_the_charge_of_its_invoice(btcpay: BTCPayServer) -> None:
    asked = left()
    headers, body = btcpay.event("InvoiceSettled", invoiceId=asked.provider_reference)
    assert backend().read_notification(headers, body) == Notification(asked.reference)


def test_an_event_of_a_payout_names_its_refund(btcpay: BTCPayServer) -> None:
    asked = left()
    btcpay.shopper_pays(asked.provider_reference)
    refund = refund_of(asked)
    backend().refund(refund)
    headers, body = btcpay.event("PayoutUpdated", payoutId="p1", pullPaymentId=btcpay.pull_payment["id"])
    assert backend().read_notification(headers, body) == Notification(refund.reference)


def test_the_header_may_be_written_in_any_case(btcpay: BTCPayServer) -> None:
    reference = uuid4()
    headers, body = sent(btcpay, reference)
    lower = {name.lower(): value for name, value in headers.items()}
    assert backend().read_notification(lower, body) == Notification(reference)


def test_an_event_that_is_sent_again_names_the_same_charge(btcpay: BTCPayServer) -> None:
    reference = uuid4()
    headers, body = sent(btcpay, reference, timestamp=1_600_000_000, isRedelivery=True)
    assert {backend().read_notification(headers, body) for _ in range(2)} == {Notification(reference)}


@pytest.mark.parametrize(
    "fields",
    [
        {"storeId": "SomeOtherStore"},
        {"metadata": {"orderId": "order-17"}},
        {"metadata": {"orderId": None}},
        {"metadata": {}},
        {"metadata": None},
    ],
)
def test_a_genuine_event_about_anything_else_names_nobody(
    btcpay: BTCPayServer, fields: dict[str, Any]
) -> None:
    headers, body = btcpay.event("InvoiceSettled", **{"metadata": {"orderId": str(uuid4())}, **fields})
    assert backend().read_notification(headers, body) == NOBODY


def test_a_payout_of_somebody_elses_pull_payment_names_nobody(btcpay: BTCPayServer) -> None:
    btcpay.pull_payments["gift"] = {"id": "gift", "name": "Gift", "amount": "1", "currency": "EUR"}
    headers, body = btcpay.event("PayoutUpdated", payoutId="p1", pullPaymentId="gift")
    assert backend().read_notification(headers, body) == NOBODY


def test_a_payout_of_a_pull_payment_that_is_gone_is_refused(btcpay: BTCPayServer) -> None:
    headers, body = btcpay.event("PayoutUpdated", payoutId="p1", pullPaymentId="gone")
    with pytest.raises(BTCPayRefused):
        backend().read_notification(headers, body)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "md5=0",
        "sha256=é",
        "{plain}",
        "sha1={plain}",
        "{upper}",
        "{other}",
    ],
)
def test_a_forged_event_is_refused(btcpay: BTCPayServer, header: str | None) -> None:
    genuine, body = sent(btcpay, uuid4())
    plain = genuine["BTCPay-Sig"].removeprefix("sha256=")
    forged = header and header.format(
        plain=plain, upper=f"SHA256={plain}", other=signature(body, "another-secret-altogether")
    )
    with pytest.raises(NotificationRefused):
        backend().read_notification({} if forged is None else {"BTCPay-Sig": forged}, body)


def test_a_changed_event_is_refused(btcpay: BTCPayServer) -> None:
    headers, body = sent(btcpay, uuid4())
    for changed in (body + b" ", body.replace(b"InvoiceSettled", b"InvoiceInvalid"), b""):
        with pytest.raises(NotificationRefused):
            backend().read_notification(headers, changed)


def test_an_event_in_other_white_space_is_refused(btcpay: BTCPayServer) -> None:
    headers, body = sent(btcpay, uuid4())
    with pytest.raises(NotificationRefused):
        backend().read_notification(headers, json.dumps(json.loads(body)).encode())


@pytest.mark.parametrize("secret", [None, "", "short", 7])
def test_without_a_usable_secret_nothing_is_believed(btcpay: BTCPayServer, secret: Any) -> None:
    _headers, body = sent(btcpay, uuid4())
    headers = {"BTCPay-Sig": signature(body, str(secret or ""))}
    with pytest.raises(NotificationRefused):
        backend(WEBHOOK_SECRET=secret).read_notification(headers, body)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"\xff", b"paid", b"[" * 100_000])
def test_a_signed_text_that_is_no_event_is_refused(btcpay: BTCPayServer, body: bytes) -> None:
    with pytest.raises(NotificationRefused):
        backend().read_notification({"BTCPay-Sig": signature(body)}, body)
