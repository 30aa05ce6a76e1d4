"""The provider's messages: verified, never believed, answered when what they led to is stored."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.backends.base import Notification
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.signals import payment_needs_review
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import NOTIFICATION_KEY, Provider, ScriptedBackend
from tests.support.ledger import full_disk, let_two_seconds_pass, pay, provider, unknown_refund

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State
URL = "/checkout/live/notifications/acme_card/"


def notify(provider: Provider, reference: uuid.UUID, url: str = URL) -> Any:
    headers, body = provider.notification(reference)
    return post(body, url, headers)


def post(body: bytes, url: str = URL, headers: dict[str, str] | None = None) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(url, body, content_type="application/x-www-form-urlencoded", headers=headers or {})


def begin(snipcart: StandIn, provider: Provider) -> Payment:
    """A payment whose shopper is at the provider."""
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.script()
    return payment


def fresh(payment: Payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


def test_a_notification_settles_the_payment_it_names(snipcart: StandIn, provider: Provider) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    answer = notify(provider, payment.reference)

    assert (answer.status_code, answer.content) == (204, b"")
    assert fresh(payment).state == _State.PAID
    assert [told["state"] for told in snipcart.confirmations] == ["processed"]


def test_a_notification_is_only_a_reason_to_ask(snipcart: StandIn, provider: Provider) -> None:
    payment = begin(snipcart, provider)

    assert notify(provider, payment.reference).status_code == 204
    assert provider.calls[-1] == f"lookup {payment.reference}"
    assert fresh(payment).state == _State.PENDING


@pytest.mark.parametrize("charge", ["redirect", "pending", "declined", "nonsense"])
def test_the_provider_is_asked_in_every_state_but_paid(
    snipcart: StandIn, provider: Provider, charge: str
) -> None:
    provider.script(charge=charge, lookup="nonsense")
    payment = pay(snipcart)

    notify(provider, payment.reference)

    assert provider.calls[-1] == f"lookup {payment.reference}"


def test_a_payment_that_is_paid_is_not_asked_about_again(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    assert notify(provider, payment.reference).status_code == 204
    assert provider.calls == [f"charge {payment.reference}"]


def test_a_notification_received_twice_is_handled_once(snipcart: StandIn, provider: Provider) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    answers = [notify(provider, payment.reference) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert len(snipcart.confirmations) == 1


def test_an_unknown_reference_is_handled_and_forgotten(snipcart: StandIn, provider: Provider) -> None:
    assert notify(provider, uuid.uuid4()).status_code == 204
    assert provider.calls == []


def test_a_payment_of_another_method_is_unknown_here(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_wallet", like="acme_card")
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    answer = notify(provider, payment.reference, "/checkout/live/notifications/acme_wallet/")

    assert answer.status_code == 204
    assert fresh(payment).state == _State.PENDING


def test_a_payment_of_another_store_is_unknown_here(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store("second", like="live")
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    assert notify(provider, payment.reference, "/checkout/second/notifications/acme_card/").status_code == 204
    assert fresh(payment).state == _State.PENDING


@pytest.mark.parametrize(
    "signature, body",
    [
        ("", b'{"reference": "%s"}'),
        ("wrong", b'{"reference": "%s"}'),
        ("é", b""),
        ("genuine", b"not json"),
        ("genuine", b"{}"),
        ("genuine", b'{"reference": "not a uuid"}'),
        ("genuine", b"\xff\xfe"),
    ],
)
def test_what_cannot_be_verified_or_read_is_400(
    snipcart: StandIn, provider: Provider, signature: str, body: bytes
) -> None:
    genuine = hmac.new(NOTIFICATION_KEY, body, hashlib.sha256).hexdigest()
    headers = {"X-Provider-Signature": genuine if signature == "genuine" else signature}

    answer = post(body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert provider.calls == []


class NamesNoReference(ScriptedBackend):
    """Takes whatever the provider says for our reference."""

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        return Notification(body.decode())  # type: ignore[arg-type]


def test_a_message_of_which_the_backend_makes_no_reference_is_400(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", BACKEND=f"{__name__}.NamesNoReference")

    assert post(b"tr-1").status_code == 400
    assert provider.calls == []


def test_a_backend_that_takes_no_notifications_is_400(snipcart: StandIn) -> None:
    assert post(b"hello").status_code == 400


@pytest.mark.parametrize(
    "url", ["/checkout/nowhere/notifications/acme_card/", "/checkout/live/notifications/unknown/"]
)
def test_an_unknown_store_or_method_is_404(snipcart: StandIn, provider: Provider, url: str) -> None:
    assert notify(provider, uuid.uuid4(), url).status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "options", "head"])
def test_only_post_is_taken(method: str) -> None:
    answer = getattr(Client(), method)(URL)

    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_a_body_without_end_is_413(snipcart: StandIn, provider: Provider) -> None:
    assert post(b" " * (256 * 1024 + 1)).status_code == 413


def test_a_body_as_large_as_is_allowed_is_read(snipcart: StandIn, provider: Provider) -> None:
    assert post(b" " * (256 * 1024)).status_code == 400


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
)
def test_any_content_type_is_taken(snipcart: StandIn, provider: Provider, content_type: str) -> None:
    headers, body = provider.notification(uuid.uuid4())

    assert Client().post(URL, body, content_type=content_type, headers=headers).status_code == 204


@pytest.mark.parametrize("lookup", ["raise", "nonsense"])
def test_a_provider_that_gives_no_answer_is_asked_to_notify_again(
    snipcart: StandIn, provider: Provider, lookup: str
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup=lookup)

    answer = notify(provider, payment.reference)

    assert answer.status_code == 503
    assert answer["Retry-After"]


def test_a_ledger_that_cannot_store_the_outcome_is_503(snipcart: StandIn, provider: Provider) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    with full_disk("UPDATE"):
        answer = notify(provider, payment.reference)

    assert answer.status_code == 503
    assert fresh(payment).state == _State.PENDING
    assert notify(provider, payment.reference).status_code == 204
    assert fresh(payment).state == _State.PAID


def test_an_answer_that_snipcart_does_not_take_is_no_reason_to_notify_again(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)
    snipcart.fail("payment", 500)

    assert notify(provider, payment.reference).status_code == 204


def test_a_backend_that_cannot_look_up_has_nothing_to_be_asked(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    provider.script(charge="nonsense")
    payment = pay(snipcart)

    assert notify(provider, payment.reference).status_code == 204
    assert fresh(payment).state == _State.UNKNOWN


def test_another_amount_than_ours_goes_to_review_whatever_the_message_says(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup="paid", amount="0.01")

    notify(provider, payment.reference)

    assert fresh(payment).review_reason == "amount_differs"
    assert snipcart.confirmations == []


def test_answers_hold_no_word_of_the_message(snipcart: StandIn, provider: Provider) -> None:
    answer = post(json.dumps({"secret": "s3cr3t"}).encode())

    assert b"s3cr3t" not in answer.content
    assert answer["Cache-Control"] == "no-store, private"


def test_a_notification_that_comes_too_soon_is_to_be_sent_again(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)

    statuses = [notify(provider, payment.reference).status_code for _ in range(2)]
    let_two_seconds_pass()
    statuses.append(notify(provider, payment.reference).status_code)

    assert statuses == [204, 503, 204]
    assert provider.calls.count(f"lookup {payment.reference}") == 2


def test_a_message_about_a_refund_that_comes_too_soon_is_to_be_sent_again(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    payment = pay(snipcart)
    refund, other = unknown_refund(provider, payment), unknown_refund(provider, payment, 300)
    provider.script(refund_lookup="nonsense")
    before = Refund.objects.filter(pk=other.pk).values().get()

    assert [notify(provider, refund.pk).status_code for _ in range(2)] == [503, 503]
    assert provider.calls.count(f"lookup_refund {refund.pk}") == 1

    assert Refund.objects.filter(pk=other.pk).values().get() == before
    Refund.objects.update(looked_up_at=timezone.now() - timedelta(seconds=3))
    provider.script()
    assert notify(provider, refund.pk).status_code == 204
    assert notify(provider, refund.pk).status_code == 503
    assert provider.calls.count(f"lookup_refund {refund.pk}") == 2


# A dispute.


def test_a_dispute_opens_the_case_of_its_payment_once(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    another, payment = pay(snipcart), pay(snipcart)
    Payment.objects.update(resolved_at=timezone.now())
    heard: list[tuple[Payment, str]] = []
    payment_needs_review.connect(
        lambda payment, reason, **_: heard.append((payment, reason)), weak=False, dispatch_uid="disputes"
    )
    headers, body = provider.notification(payment.reference, dispute=True)

    try:
        answers = [post(body, headers=headers).status_code]
        assert heard == [(payment, "disputed")]
        answers.append(post(body, headers=headers).status_code)
    finally:
        payment_needs_review.disconnect(dispatch_uid="disputes")

    assert answers == [204, 204]
    assert (fresh(payment).state, fresh(payment).review_reason) == (_State.PAID, "disputed")
    assert (fresh(another).review_reason, fresh(another).resolved_at is None) == ("", False)
    assert fresh(payment).resolved_at is None
    assert payment.events.get(name="disputed").source == "provider"
    assert heard == [(payment, "disputed")]
    assert heard[0][0].review_reason == "disputed"
    assert caplog.text.count("needs review: disputed") == 1
    assert not another.events.filter(name="disputed").exists()


def test_a_dispute_whose_case_was_closed_stays_closed(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)
    headers, body = provider.notification(payment.reference, dispute=True)
    post(body, headers=headers)
    assert services.resolve_review(fresh(payment), "closed", note="the bank was answered", by="ada")

    assert post(body, headers=headers).status_code == 204

    assert fresh(payment).resolved_at is not None
