"""PayPal's webhook events: which are believed, and what they are about."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.backends.paypal.api import PayPalOutcomeUnknown
from snipcart_checkout.backends.paypal.notifications import EVENTS
from snipcart_checkout.exceptions import NotificationRefused
from tests.support.paypal_account import WEBHOOK_ID, PayPalAccount, event
from tests.support.paypal_charges import account, approved, backend

__all__ = ["account"]

NOBODY = Notification(UUID(int=0))
DISPUTES = {"CUSTOMER.DISPUTE.CREATED", "PAYMENT.CAPTURE.REVERSED"}


class TestGenuineEvent:
    @pytest.mark.parametrize("kind", EVENTS)
    def test_it_names_the_charge_or_refund(self, account: PayPalAccount, kind: str) -> None:
        reference = uuid4()
        expected = Notification(reference, dispute=kind in DISPUTES)
        assert backend().read_notification(*event(reference, kind)) == expected

    def test_paypal_is_asked_with_every_byte_of_the_body(self, account: PayPalAccount) -> None:
        headers, body = event(uuid4())
        assert json.dumps(json.loads(body)).encode() != body
        backend().read_notification(headers, body)
        _method, path, asked = account.requests[-1]
        assert path == "/v1/notifications/verify-webhook-signature"
        assert asked["webhook_id"] == WEBHOOK_ID
        assert asked["transmission_sig"] == headers["Paypal-Transmission-Sig"]

    def test_the_names_of_headers_may_be_in_any_casing(self, account: PayPalAccount) -> None:
        reference = uuid4()
        headers, body = event(reference)
        upper = {name.upper(): value for name, value in headers.items()}
        assert backend().read_notification(upper, body) == Notification(reference)

    def test_a_refund_is_named_before_what_it_refunds(self, account: PayPalAccount) -> None:
        refund, charge = uuid4(), uuid4()
        resource = {"id": "1JU08902781691411", "custom_id": str(refund), "invoice_id": str(charge)}
        sent = event(refund, "PAYMENT.REFUND.FAILED", resource=resource)
        assert backend().read_notification(*sent) == Notification(refund)

    @pytest.mark.parametrize("name", ["invoice_id", "custom_id"])
    def test_either_field_of_a_purchase_unit_will_do(self, account: PayPalAccount, name: str) -> None:
        reference = uuid4()
        resource = {"purchase_units": ["nonsense", {name: str(reference)}]}
        assert backend().read_notification(*event(reference, resource=resource)) == Notification(reference)

    @pytest.mark.parametrize(
        "kind, resource",
        [
            ("BILLING.SUBSCRIPTION.CREATED", {"custom_id": str(uuid4())}),
            ("PAYMENT.CAPTURE.COMPLETED", {"custom_id": "order-7-of-another-shop"}),
            ("PAYMENT.CAPTURE.COMPLETED", {"custom_id": None, "invoice_id": 7}),
            ("CHECKOUT.ORDER.APPROVED", {"purchase_units": {"custom_id": str(uuid4())}}),
            ("CHECKOUT.ORDER.APPROVED", {}),
        ],
    )
    def test_one_about_anything_else_names_nobody(
        self, account: PayPalAccount, kind: str, resource: Any
    ) -> None:
        assert backend().read_notification(*event("", kind, resource=resource)) == NOBODY

    def test_a_replayed_one_leads_to_one_capture(self, account: PayPalAccount) -> None:
        asked = approved(account)
        sent = event(asked.reference)
        for _ in range(3):
            assert backend().read_notification(*sent) == Notification(asked.reference)
            backend().lookup(asked)
        assert len(account.captured(asked.reference)) == 1


class TestForgedEvent:
    @pytest.mark.parametrize(
        "change", [lambda body: body + b" ", lambda body: body.replace(b"APPROVED", b"REVERSED")]
    )
    def test_a_changed_body_is_refused(self, account: PayPalAccount, change: Any) -> None:
        headers, body = event(uuid4())
        with pytest.raises(NotificationRefused):
            backend().read_notification(headers, change(body))

    def test_one_for_another_webhook_is_refused(self, account: PayPalAccount) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification(*event(uuid4(), webhook_id="4JH86294D6297924G"))

    @pytest.mark.parametrize("wrong", ["", "\n", "a b", "é", "x" * 501])
    @pytest.mark.parametrize("name", sorted(event("")[0]))
    def test_a_header_that_is_none_is_refused_without_a_call(
        self, account: PayPalAccount, name: str, wrong: str
    ) -> None:
        headers, body = event(uuid4())
        with pytest.raises(NotificationRefused):
            backend().read_notification({**headers, name: wrong}, body)
        assert account.requests == []

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xff",
            b"null",
            b"[]",
            b"{}",
            b'{"resource": []}',
            b"a=1&b=2",
            b'{"resource": {}}, "webhook_id": 1',
            b'{"resource": {}, "resource": {"custom_id": "7"}}',
            b"[" * 9000,
        ],
    )
    def test_a_body_that_is_no_event_is_refused_without_a_call(
        self, account: PayPalAccount, body: bytes
    ) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification(*event(uuid4(), body=body))
        assert account.requests == []

    @pytest.mark.parametrize("webhook_id", [None, "", "your-webhook-id", 7, [WEBHOOK_ID]])
    def test_without_a_webhook_id_everything_is_refused(
        self, account: PayPalAccount, webhook_id: Any
    ) -> None:
        with pytest.raises(NotificationRefused):
            backend(WEBHOOK_ID=webhook_id).read_notification(*event(uuid4()))
        assert account.requests == []

    @pytest.mark.parametrize(
        "answer", [{}, [], {"verification_status": True}, {"verification_status": "success"}]
    )
    def test_only_paypals_own_word_is_success(self, account: PayPalAccount, answer: Any) -> None:
        account.answer_next(200, answer, skip=1)
        with pytest.raises(NotificationRefused):
            backend().read_notification(*event(uuid4()))

    def test_one_that_paypal_does_not_want_to_verify_is_refused(self, account: PayPalAccount) -> None:
        account.permissions.remove("webhooks")
        with pytest.raises(NotificationRefused, match="PERMISSION_DENIED"):
            backend().read_notification(*event(uuid4()))

    def test_one_that_cannot_be_verified_now_raises_and_paypal_sends_it_again(
        self, account: PayPalAccount
    ) -> None:
        account.answer_next(503, skip=1)
        with pytest.raises(PayPalOutcomeUnknown):
            backend().read_notification(*event(uuid4()))
