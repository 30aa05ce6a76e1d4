"""Stripe's webhook events: which are believed, and what they are about."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.backends.stripe.api import StripeRefused
from snipcart_checkout.exceptions import NotificationRefused
from tests.support.stripe_account import (
    SIGNING_SECRET,
    StripeAccount,
    dispute_event,
    event,
    refund_event,
)
from tests.support.stripe_charges import backend, paid


class TestNotification:
    @pytest.mark.parametrize(
        "kind",
        [
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed",
            "checkout.session.expired",
        ],
    )
    def test_a_signed_event_names_the_charge(self, kind: str) -> None:
        reference = uuid4()
        assert backend().read_notification(*event(reference, kind)) == Notification(reference)

    def test_any_of_several_secrets_will_do_while_they_are_rotated(self) -> None:
        reference = uuid4()
        signed = event(reference)
        rotated = backend(WEBHOOK_SECRETS=["whsec_new0new0new0", SIGNING_SECRET])
        assert rotated.read_notification(*signed) == Notification(reference)

    def test_the_name_of_the_header_may_be_in_any_casing(self) -> None:
        reference = uuid4()
        headers, body = event(reference)
        lower = {name.lower(): value for name, value in headers.items()}
        assert backend().read_notification(lower, body) == Notification(reference)

    @pytest.mark.parametrize(
        "kind, reference",
        [
            ("payment_intent.payment_failed", uuid4()),
            ("checkout.session.completed", "order-7-of-another-shop"),
            ("checkout.session.completed", None),
        ],
    )
    def test_a_genuine_event_about_anything_else_names_nobody(self, kind: str, reference: object) -> None:
        assert backend().read_notification(*event(reference, kind)) == Notification(UUID(int=0))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"secret": "whsec_somebody_elses"},
            {"at": int(time.time()) - 301},
            {"data": "nonsense"},
            {"data": []},
        ],
    )
    def test_one_that_is_forged_old_or_nonsense_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification(*event(uuid4(), **wrong))

    def test_the_signature_is_over_every_byte(self) -> None:
        headers, body = event(uuid4())
        with pytest.raises(NotificationRefused):
            backend().read_notification(headers, body + b" ")

    @pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b"null"])
    @pytest.mark.parametrize("header", ["", "t=1", "t=1,v1=", "v1=abc", "t=x,v1=abc", "nonsense"])
    def test_a_header_or_body_that_is_none_is_refused(self, header: str, body: bytes) -> None:
        with pytest.raises(NotificationRefused):
            backend().read_notification({"Stripe-Signature": header}, body)

    @pytest.mark.parametrize("secrets", [None, [], "whsec_a_text_is_no_list", [None], [""], [" "]])
    @pytest.mark.parametrize("secret", ["whsec_", "", " "])
    def test_without_a_secret_everything_is_refused(self, secrets: Any, secret: str) -> None:
        with pytest.raises(NotificationRefused):
            backend(WEBHOOK_SECRETS=secrets).read_notification(*event(uuid4(), secret=secret))

    @pytest.mark.parametrize("kind", ["refund.updated", "refund.failed"])
    def test_an_event_of_a_refund_names_the_refund(self, kind: str) -> None:
        reference = uuid4()
        assert backend().read_notification(*refund_event(reference, kind)) == Notification(reference)

    def test_a_refund_of_other_software_names_nobody(self) -> None:
        signed = event("", "refund.failed", data={"object": "refund", "metadata": None})
        assert backend().read_notification(*signed) == Notification(UUID(int=0))


class TestDispute:
    def test_it_names_the_charge_of_the_payment_intent(self, account: StripeAccount) -> None:
        asked, intent = paid(account)
        signed = dispute_event(payment_intent=intent, charge="ch_1")
        assert backend().read_notification(*signed) == Notification(asked.reference, dispute=True)

    def test_without_a_payment_intent_the_charge_is_asked(self, account: StripeAccount) -> None:
        asked, intent = paid(account)
        signed = dispute_event(charge=intent.replace("pi_", "ch_"))
        assert backend().read_notification(*signed) == Notification(asked.reference, dispute=True)

    def test_one_of_a_payment_that_is_not_ours_names_nobody(self, account: StripeAccount) -> None:
        _asked, intent = paid(account)
        account.intents[intent]["metadata"] = {}
        signed = dispute_event(payment_intent=intent)
        assert backend().read_notification(*signed).reference == UUID(int=0)

    def test_a_payment_that_stripe_does_not_name_makes_it_send_the_event_again(
        self, account: StripeAccount
    ) -> None:
        with pytest.raises(StripeRefused):
            backend().read_notification(*dispute_event(payment_intent="pi_unknown"))
