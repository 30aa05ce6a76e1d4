"""The page of a payment, and the way back to it from the provider."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from snipcart_checkout.models import Payment
from snipcart_checkout.testing import StandIn
from tests.backends import Provider
from tests.ledger import pay, provider, use_provider
from tests.shopper import Shopper, address_of, words_of

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State
NOBODY = uuid.UUID("00000000-0000-4000-8000-000000000000")


@pytest.fixture
def stranger() -> Client:
    """A browser without a cookie of ours."""
    return Client(enforce_csrf_checks=True)


def begin(snipcart: StandIn, provider: Provider, **session: Any) -> Payment:
    """A payment whose shopper is at the provider."""
    provider.script(charge="redirect")
    payment = pay(snipcart, **session)
    provider.script()
    return payment


def fresh(payment: Payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


# The return


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("lookup", ["paid", "pending", "declined", "not_found", "nonsense", "raise"])
def test_the_return_leads_to_the_payment_whatever_came_of_it(
    stranger: Client, snipcart: StandIn, provider: Provider, method: str, lookup: str
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup=lookup)

    answer = getattr(stranger, method)(address_of(payment, "payment_return"))

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_reference_is_404(stranger: Client, method: str) -> None:
    for view in ("payment", "payment_return"):
        path = reverse(f"snipcart_checkout:{view}", args=[NOBODY])
        assert getattr(stranger, "get" if view == "payment" else method)(path).status_code == 404


@pytest.mark.parametrize("reference", ["1", "not-a-uuid", "x" * 300])
def test_what_is_no_reference_leads_nowhere(stranger: Client, reference: str) -> None:
    assert stranger.get(f"/checkout/payments/{reference}/").status_code == 404
    assert stranger.get(f"/checkout/payments/{reference}/return/").status_code == 404


def test_a_post_from_the_providers_origin_is_taken(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    answer = stranger.post(
        address_of(payment, "payment_return"),
        {"status": "failed"},
        headers={"Origin": "https://provider.example"},
    )

    assert answer.status_code == 303
    assert fresh(payment).state == _State.PAID


def test_what_the_return_says_decides_nothing(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)

    stranger.get(
        address_of(payment, "payment_return"),
        {"status": "paid", "state": "paid", "amount": "12.30", "reference": "x"},
    )

    assert fresh(payment).state == _State.WAITING
    assert provider.calls[-1] == f"lookup {payment.reference}"


def test_the_return_works_without_a_backend_that_can_look_up(
    stranger: Client, snipcart: StandIn, provider: Provider, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    use_provider(settings, provider.directory, can_lookup=False)
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    caplog.clear()

    assert stranger.get(address_of(payment, "payment_return")).status_code == 303
    assert "raised" not in caplog.text


def test_a_ledger_that_cannot_be_written_leads_to_the_payment_too(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError("the disk is full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(refuse):
        answer = stranger.get(address_of(payment, "payment_return"))

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))


def test_the_return_of_an_old_payment_is_harmless(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)
    django_settings.SNIPCART_CHECKOUT["STORES"].clear()

    assert stranger.get(address_of(payment, "payment_return")).status_code == 303
    assert stranger.get(address_of(payment)).status_code == 200


def test_coming_back_twice_is_coming_back_once(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    for _ in range(2):
        stranger.get(address_of(payment, "payment_return"))

    assert len(snipcart.confirmations) == 1


def test_put_is_405(stranger: Client, snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    assert stranger.put(address_of(payment, "payment_return")).status_code == 405
    assert stranger.put(address_of(payment)).status_code == 405


# The page


def test_a_shopper_who_has_not_left_yet_is_sent_on_to_the_provider(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)

    page = Shopper().look(payment)

    assert page["Refresh"].endswith(f"; url=https://provider.example/pay/{payment.reference}")


@pytest.mark.parametrize("lookup", ["nonsense", "raise"])
def test_a_shopper_who_came_back_without_an_answer_is_not_sent_there_again(
    snipcart: StandIn, provider: Provider, lookup: str
) -> None:
    shopper = Shopper()
    payment = begin(snipcart, provider)
    provider.script(lookup=lookup)

    page = shopper.client.get(shopper.come_back(payment)["Location"])

    assert "provider.example" not in page.headers.get("Refresh", "")
    assert "Your payment is being checked" in words_of(page)


def test_a_notification_before_the_shopper_left_does_not_keep_them(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup="raise")
    headers, body = provider.notification(payment.reference)
    stranger.post("/checkout/live/notifications/acme_card/", body, content_type="text/plain", headers=headers)

    assert "provider.example" in Shopper().look(payment)["Refresh"]


@pytest.mark.parametrize(
    "script, words",
    [
        ({}, "Paid"),
        ({"charge": "pending"}, "Your payment is on its way"),
        ({"charge": "declined"}, "Declined"),
        ({"charge": "nonsense"}, "Your payment is being checked"),
        ({"amount": "1.00"}, "The shop is looking at your payment"),
    ],
)
def test_the_page_says_what_became_of_the_payment(
    snipcart: StandIn, provider: Provider, script: dict[str, str], words: str
) -> None:
    provider.script(**script)

    page = Shopper().look(pay(snipcart))

    assert page.status_code == 200
    assert words in words_of(page)


@pytest.mark.parametrize(
    "script", [{"charge": "pending"}, {"charge": "nonsense"}, {"amount": "1.00"}, {}], ids=str
)
def test_the_page_of_money_that_may_have_been_taken_says_not_to_pay_again(
    snipcart: StandIn, provider: Provider, script: dict[str, str]
) -> None:
    provider.script(**script)

    assert warns_of_a_second_payment(words_of(Shopper().look(pay(snipcart))))


def warns_of_a_second_payment(words: str) -> bool:
    return "Do not pay again" in words or "Do not pay a second time" in words


def test_the_page_of_a_refused_confirmation_says_paid(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 400)

    words = words_of(Shopper().look(pay(snipcart)))

    assert "We have received your payment" in words
    assert "Do not pay again" in words


def test_the_page_shows_the_amount_and_reference_and_nothing_personal(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session(amount="12.30", currency="EUR", email="ada@example.org")
    payment = Payment.objects.get(pk=_paid(session))

    page = Shopper().look(payment)
    content = page.content.decode() + str(page.headers)

    assert "€12.30" in content
    assert str(payment.reference) in content
    for personal in ("ada@example.org", "Byron", "rue des", session.public_token):
        assert personal not in content


def _paid(session: Any) -> uuid.UUID:
    Shopper().pay(session)
    return Payment.objects.get().pk


def test_every_answer_about_a_payment_is_kept_from_caches_and_robots(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)

    for answer in (Shopper().look(payment), Shopper().come_back(payment)):
        assert answer["Cache-Control"] == "no-store, private"
        assert answer["X-Robots-Tag"] == "noindex"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "strict-origin"


def test_looking_at_a_payment_asks_nobody(snipcart: StandIn, provider: Provider) -> None:
    payment = begin(snipcart, provider)
    before = (list(provider.calls), len(snipcart.calls))

    Shopper().look(payment)

    assert (provider.calls, len(snipcart.calls)) == before


def test_a_detour_that_was_declined_can_be_given_up_on_the_payments_page(
    snipcart: StandIn, provider: Provider
) -> None:
    shopper = Shopper()
    payment = begin(snipcart, provider)
    provider.script(lookup="declined", code="card_declined")
    page = shopper.client.get(shopper.come_back(payment)["Location"])

    answer = shopper.press(page, address_of(payment), give_up="1")

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))
    assert [told["state"] for told in snipcart.confirmations] == ["failed"]


def test_a_post_to_the_page_that_does_not_give_up_is_405(snipcart: StandIn, provider: Provider) -> None:
    shopper = Shopper()
    provider.script(charge="declined")
    payment = pay(snipcart)
    page = shopper.look(payment)

    assert shopper.press(page, address_of(payment)).status_code == 405
