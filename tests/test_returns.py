"""The page of a payment, and the way back to it from the provider."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.backends.base import Charge
from snipcart_checkout.backends.manual import ManualBackend
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.formats import format_date
from snipcart_checkout.testing import CheckoutSettings, StandIn
from snipcart_checkout.views.cookies import remember_order
from tests.support.backends import Provider
from tests.support.ledger import full_disk, let_two_seconds_pass, pay, provider
from tests.support.ledger_invariants import let_time_pass
from tests.support.shopper import Shopper, address_of, words_of

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
    now: Payment = Payment.objects.get(pk=payment.pk)
    return now


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
def test_an_unknown_reference_is_410(stranger: Client, method: str) -> None:
    for view in ("payment", "payment_return"):
        path = reverse(f"snipcart_checkout:{view}", args=[NOBODY])
        assert getattr(stranger, "get" if view == "payment" else method)(path).status_code == 410


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

    assert fresh(payment).state == _State.PENDING
    assert provider.calls[-1] == f"lookup {payment.reference}"


def test_the_return_works_without_a_backend_that_can_look_up(
    stranger: Client,
    snipcart: StandIn,
    provider: Provider,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    caplog.clear()

    assert stranger.get(address_of(payment, "payment_return")).status_code == 303
    assert "raised" not in caplog.text


def test_a_ledger_that_cannot_be_written_leads_to_the_payment_too(
    stranger: Client, snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    with full_disk("UPDATE"):
        answer = stranger.get(address_of(payment, "payment_return"))

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))
    assert f"payment {payment.reference}: its outcome was not stored: OperationalError" in caplog.text


def test_a_page_whose_payment_cannot_be_looked_up_now_is_shown(
    stranger: Client, snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script(after="raise")
    payment = pay(snipcart)
    let_time_pass(timedelta(minutes=1))

    with full_disk("UPDATE"):
        assert stranger.get(address_of(payment)).status_code == 200

    assert f"payment {payment.reference}: its outcome was not stored: OperationalError" in caplog.text


def test_what_a_shopper_asked_about_is_not_asked_again_by_the_next_run(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup="pending")
    stranger.get(address_of(payment, "payment_return"))
    asked = list(provider.calls)

    services.settle()

    assert provider.calls == asked


def test_the_return_of_an_old_payment_is_harmless(
    stranger: Client, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    payment = pay(snipcart)
    checkout_settings.remove("STORES.live")

    assert stranger.get(address_of(payment, "payment_return")).status_code == 303
    assert stranger.get(address_of(payment)).status_code == 200


def test_coming_back_twice_is_coming_back_once(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)

    for _ in range(2):
        stranger.get(address_of(payment, "payment_return"))
        let_two_seconds_pass()

    assert len(snipcart.confirmations) == 1


def test_the_provider_is_asked_once_in_two_seconds_however_often_strangers_come(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup="pending")

    answers = [stranger.get(address_of(payment, "payment_return")) for _ in range(5)]

    assert {(answer.status_code, answer["Location"]) for answer in answers} == {(303, address_of(payment))}
    assert provider.calls.count(f"lookup {payment.reference}") == 1
    let_two_seconds_pass()
    stranger.get(address_of(payment, "payment_return"))
    assert provider.calls.count(f"lookup {payment.reference}") == 2


@pytest.mark.parametrize("seconds, times", [(1.2, 1), (2.4, 2)])
def test_the_provider_is_asked_again_after_two_seconds(
    stranger: Client, snipcart: StandIn, provider: Provider, seconds: float, times: int
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup="pending")
    stranger.get(address_of(payment, "payment_return"))
    Payment.objects.update(polled_at=timezone.now() - timedelta(seconds=seconds))

    stranger.get(address_of(payment, "payment_return"))

    assert provider.calls.count(f"lookup {payment.reference}") == times


def test_two_payments_do_not_wait_for_each_other(
    stranger: Client, snipcart: StandIn, provider: Provider
) -> None:
    payments = [begin(snipcart, provider) for _ in range(2)]
    provider.script(lookup="pending")

    for payment in payments:
        stranger.get(address_of(payment, "payment_return"))

    assert provider.calls[-2:] == [f"lookup {payment.reference}" for payment in payments]


@pytest.mark.parametrize("state", ["declined", "abandoned"])
def test_a_payment_that_ended_is_looked_up_again_and_is_paid_when_it_was(
    stranger: Client, snipcart: StandIn, provider: Provider, state: str
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup={"declined": "declined", "abandoned": "not_found"}[state])
    stranger.get(address_of(payment, "payment_return"))
    assert fresh(payment).state == state
    provider.script()
    provider.complete(payment.reference)
    let_two_seconds_pass()

    stranger.get(address_of(payment, "payment_return"))

    assert fresh(payment).state == _State.PAID
    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]


def test_a_paid_payment_is_looked_up_no_more(stranger: Client, snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    stranger.get(address_of(payment, "payment_return"))

    assert provider.calls == [f"charge {payment.reference}"]


@pytest.mark.parametrize("purpose", ["HEAD", "prefetch"])
def test_a_return_that_nobody_looks_at_changes_nothing(
    stranger: Client, snipcart: StandIn, provider: Provider, purpose: str
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)
    before = Payment.objects.values().get()
    path = address_of(payment, "payment_return")

    if purpose == "HEAD":
        answer = stranger.head(path)
    else:
        answer = stranger.get(path, headers={"Sec-Purpose": purpose})

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))
    assert Payment.objects.values().get() == before
    assert provider.calls == [f"charge {payment.reference}"]
    assert snipcart.confirmations == []


def test_a_return_inside_a_transaction_of_the_sites_leads_to_the_payment_and_stores_nothing(
    stranger: Client, snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    payment = begin(snipcart, provider)
    provider.complete(payment.reference)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_paying.OpenTransaction"]

    answer = stranger.get(address_of(payment, "payment_return"))

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))
    assert fresh(payment).state == _State.PENDING
    assert snipcart.confirmations == []


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
        ({"charge": "nonsense", "lookup": "raise"}, "Your payment is being checked"),
        ({"amount": "1.00"}, "The shop is reviewing your payment"),
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
    "script",
    [{"charge": "pending"}, {"charge": "nonsense", "lookup": "raise"}, {"amount": "1.00"}, {}],
    ids=str,
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
    payment: Payment = Payment.objects.get()
    return payment.reference


def test_every_answer_about_a_payment_is_kept_from_caches_and_robots(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)

    for answer in (Shopper().look(payment), Shopper().come_back(payment)):
        assert answer["Cache-Control"] == "no-store, private"
        assert answer["X-Robots-Tag"] == "noindex"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "strict-origin"


def test_the_page_of_an_unknown_payment_looks_it_up_and_says_what_it_learned(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(after="raise")
    payment = pay(snipcart)
    assert payment.state == _State.UNKNOWN
    provider.script()
    assert "Your payment is being checked" in words_of(Shopper().look(payment))
    let_time_pass(timedelta(seconds=6))

    page = Shopper().look(payment)

    assert "We have received your payment" in words_of(page)
    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]


@pytest.mark.parametrize("seconds, state", [(4.2, _State.UNKNOWN), (5.4, _State.PAID)])
@pytest.mark.parametrize("latest", ["claimed_at", "looked_up_at"])
def test_the_page_looks_an_unknown_payment_up_five_seconds_after_the_provider_was_last_asked(
    snipcart: StandIn, provider: Provider, latest: str, seconds: float, state: str
) -> None:
    provider.script(after="raise")
    payment = pay(snipcart)
    provider.script()
    minute_ago = timezone.now() - timedelta(minutes=1)
    Payment.objects.update(claimed_at=minute_ago, looked_up_at=minute_ago)
    Payment.objects.update(**{latest: timezone.now() - timedelta(seconds=seconds)})

    Shopper().look(payment)

    assert fresh(payment).state == state


def test_the_page_of_a_payment_whose_return_was_not_answered_looks_it_up(
    snipcart: StandIn, provider: Provider
) -> None:
    shopper = Shopper()
    payment = begin(snipcart, provider)
    provider.script(lookup="raise")
    shopper.come_back(payment)
    provider.script()
    provider.complete(payment.reference)
    let_time_pass(timedelta(seconds=6))

    page = shopper.look(payment)

    assert "We have received your payment" in words_of(page)


def test_the_page_of_a_review_without_a_capture_claims_no_money_either_way(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="nonsense", lookup="raise")
    payment = pay(snipcart)
    Payment.objects.update(state=_State.REVIEW, review_reason=Payment.ReviewReason.OUTCOME_UNKNOWN)

    words = words_of(Shopper().look(payment))

    assert "Do not pay again" in words
    assert "was received" not in words
    assert "No money was taken" not in words


def test_the_page_shows_what_was_captured_also_where_that_is_not_what_was_asked(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(amount="10.01")
    payment = pay(snipcart, amount="12.30")
    assert (payment.state, payment.captured_minor_units) == (_State.REVIEW, 1001)

    words = words_of(Shopper().look(payment))

    assert "Amount paid €10.01" in words
    assert "12.30" not in words


def test_the_page_of_a_review_leads_nobody_to_the_provider_any_more(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup="raise")
    three_days_ago = timezone.now() - timedelta(hours=73)
    Payment.objects.update(claimed_at=three_days_ago, answered_at=three_days_ago)
    services.settle()
    assert (fresh(payment).state, fresh(payment).redirect_url) == (_State.REVIEW, "")

    page = Shopper().look(payment)

    assert "provider.example" not in page.headers.get("Refresh", "") + page.content.decode()


@pytest.mark.parametrize("charge", ["paid", "pending", "declined"])
def test_looking_at_a_payment_asks_nobody(snipcart: StandIn, provider: Provider, charge: str) -> None:
    provider.script(charge=charge)
    payment = pay(snipcart)
    before = (list(provider.calls), len(snipcart.calls))

    Shopper().look(payment)

    assert (provider.calls, len(snipcart.calls)) == before


@pytest.mark.parametrize("lookup", ["paid", "pending", "declined"])
def test_looking_at_a_payment_whose_return_was_answered_asks_nobody(
    snipcart: StandIn, provider: Provider, lookup: str
) -> None:
    shopper = Shopper()
    payment = begin(snipcart, provider)
    provider.script(lookup=lookup)
    shopper.come_back(payment)
    let_time_pass(timedelta(seconds=6))
    before = list(provider.calls)

    shopper.look(payment)

    assert provider.calls == before


def test_a_shopper_is_not_sent_to_a_provider_that_has_declined_meanwhile(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = begin(snipcart, provider)
    provider.script(lookup="declined")
    let_time_pass(timedelta(minutes=6))
    services.settle()

    page = Shopper().look(payment)

    assert fresh(payment).state == _State.DECLINED
    assert "provider.example" not in page.headers.get("Refresh", "")
    assert not services.has_open_redirect(fresh(payment))


def test_a_detour_that_was_declined_can_be_given_up_on_the_payments_page(
    snipcart: StandIn, provider: Provider
) -> None:
    shopper = Shopper()
    payment = begin(snipcart, provider)
    provider.script(lookup="declined", code="card_declined")
    page = shopper.client.get(shopper.come_back(payment)["Location"])

    answer = shopper.press(page, address_of(payment), give_up="1")

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))
    assert [sent["state"] for sent in snipcart.confirmations] == ["failed"]


def test_a_post_to_the_page_that_does_not_give_up_is_405(snipcart: StandIn, provider: Provider) -> None:
    shopper = Shopper()
    provider.script(charge="declined")
    payment = pay(snipcart)
    page = shopper.look(payment)

    assert shopper.press(page, address_of(payment)).status_code == 405


# On from the page of a payment


@pytest.fixture
def declined(snipcart: StandIn, provider: Provider) -> tuple[Shopper, Payment, str]:
    """A shopper whose payment was declined at the provider, and the token of the order."""
    shopper, session = Shopper(), snipcart.session()
    provider.script(charge="redirect", lookup="declined", code="card_declined")
    assert shopper.pay(session).status_code == 303
    payment = Payment.objects.get()
    shopper.come_back(payment)
    return shopper, payment, session.public_token


@pytest.mark.parametrize(
    "button, path", [("same", "/checkout/live/methods/acme_card/"), ("other", "/checkout/live/")]
)
@pytest.mark.parametrize("query, language", [("", ""), ("?language=fr", "&language=fr")])
def test_who_was_declined_may_pay_again_with_the_same_method_or_another(
    declined: tuple[Shopper, Payment, str], button: str, path: str, query: str, language: str
) -> None:
    shopper, payment, token = declined
    page = shopper.look(payment)
    assert f'name="retry" value="{button}"' in page.content.decode()

    answer = shopper.press(page, address_of(payment) + query, retry=button)

    assert (answer.status_code, answer["Location"]) == (303, f"{path}?publicToken={token}{language}")


def test_a_browser_that_does_not_know_the_order_stays_on_the_page_of_its_payment(
    declined: tuple[Shopper, Payment, str],
) -> None:
    _, payment, _ = declined
    stranger = Shopper()
    page = stranger.look(payment)
    assert 'name="retry"' not in page.content.decode()

    answer = stranger.press(page, address_of(payment), retry="same")

    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))


def test_giving_up_a_payment_while_the_ledger_cannot_be_written_is_503(
    declined: tuple[Shopper, Payment, str], snipcart: StandIn
) -> None:
    shopper, payment, _ = declined
    page = shopper.look(payment)

    with full_disk("UPDATE"), full_disk("INSERT"):
        answer = shopper.press(page, address_of(payment), give_up="1")

    assert (answer.status_code, snipcart.confirmations) == (503, [])


def test_a_form_for_a_payment_that_is_unknown_is_410(declined: tuple[Shopper, Payment, str]) -> None:
    shopper, payment, _ = declined
    path = reverse("snipcart_checkout:payment", args=[NOBODY])

    assert shopper.press(shopper.look(payment), path, retry="same").status_code == 410


def test_the_page_of_a_declined_payment_does_not_move_on(declined: tuple[Shopper, Payment, str]) -> None:
    shopper, payment, _ = declined

    assert "Refresh" not in shopper.look(payment)


def test_the_page_of_a_paid_payment_moves_on_to_the_shop_once_and_then_stays(
    snipcart: StandIn, provider: Provider
) -> None:
    shopper, payment = Shopper(), pay(snipcart)
    first, second = shopper.look(payment), shopper.look(payment)

    assert first["Refresh"] == f"0; url={payment.order_url}"
    assert "Refresh" not in second


class BrokenManualBackend(ManualBackend):
    def payment_details(self, charge: Charge) -> Any:
        raise ZeroDivisionError(charge)


def test_the_page_of_a_transfer_says_where_to_pay_and_until_when(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    options = {"IBAN": "FR2730006000019876543210958", "EXPIRES_AFTER_DAYS": 9}
    path = "snipcart_checkout.backends.manual.ManualBackend"
    checkout_settings.method("acme_card", BACKEND=path, OPTIONS=options)
    payment = pay(snipcart, language="en")

    with_a_day = Shopper().look(payment).context["payment"].transfer
    checkout_settings.method("acme_card", BACKEND=path, OPTIONS={**options, "EXPIRES_AFTER_DAYS": None})
    without_one = Shopper().look(payment).context["payment"].transfer
    Payment.objects.update(state=_State.DECLINED, live_key=None)
    ended = Shopper().look(payment).context["payment"].transfer

    assert "IBAN" in [detail.label for detail in with_a_day.details]
    assert with_a_day.pay_by == format_date(timezone.localtime(payment.claimed_at + timedelta(days=9)), "en")
    assert (bool(without_one), without_one.pay_by) == (True, "")
    assert not ended


def test_a_backend_whose_details_fail_is_logged_and_the_page_is_shown_without_them(
    snipcart: StandIn, checkout_settings: CheckoutSettings, caplog: pytest.LogCaptureFixture
) -> None:
    checkout_settings.method("acme_card", BACKEND="tests.test_returns.BrokenManualBackend", OPTIONS={})
    payment = pay(snipcart)

    page = Shopper().look(payment)

    assert (page.status_code, bool(page.context["payment"].transfer)) == (200, False)
    assert f"payment details of {payment.reference}: ZeroDivisionError" in caplog.messages


def test_the_cookies_of_a_payment_are_sent_to_its_own_page_only_and_no_script_reads_them(
    snipcart: StandIn, provider: Provider
) -> None:
    shopper, session = Shopper(), snipcart.session()
    cookies = shopper.pay(session).cookies
    payment = Payment.objects.get()
    cookies.update(shopper.look(payment).cookies)

    ours = {name: cookie for name, cookie in cookies.items() if name.startswith("snipcart_checkout_")}
    assert set(ours) == {"snipcart_checkout_order", "snipcart_checkout_left"}
    assert ours["snipcart_checkout_order"].value == session.public_token
    for cookie in ours.values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["max-age"]) == (address_of(payment), 3600)


def test_on_a_site_without_tls_the_cookies_of_a_payment_are_kept_too(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings, settings: Any
) -> None:
    settings.DEBUG = True
    checkout_settings(PUBLIC_URL="http://127.0.0.1:8000")

    cookies = Shopper().pay(snipcart.session()).cookies

    assert not cookies["snipcart_checkout_order"]["secure"]


@pytest.mark.parametrize("length, is_kept", [(3800, True), (3801, False)])
def test_a_token_that_no_cookie_can_hold_is_not_put_into_one(
    snipcart: StandIn, provider: Provider, length: int, is_kept: bool
) -> None:
    session = snipcart.session()
    token = session.public_token
    response = HttpResponse()

    remember_order(response, pay(snipcart, session=session), token.ljust(length, "x"))

    assert bool(response.cookies) is is_kept


def test_a_method_that_is_configured_no_more_is_not_named_on_the_page(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    payment = pay(snipcart)
    checkout_settings.method("acme_wallet", like="acme_card")
    checkout_settings.set("STORES.live.METHODS", {"acme_wallet": {"BACKEND": "x.Y", "NAME": "Wallet"}})

    shown = Shopper().look(payment).context["payment"]

    assert (shown.method, shown.processed_by) == ("", "")


def test_the_page_of_a_payment_offers_its_languages_and_knows_the_way_back(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)

    page = Shopper().look(payment)

    assert page.context["back_url"] == payment.cart_url != ""
    assert {choice.code for choice in page.context["languages"].choices} >= {"en", "fr"}


@pytest.mark.parametrize("view", ["payment", "payment_return"])
def test_a_head_is_answered_like_a_get(snipcart: StandIn, provider: Provider, view: str) -> None:
    payment = begin(snipcart, provider)
    client = Client()

    assert (
        client.head(address_of(payment, view)).status_code
        == client.get(address_of(payment, view)).status_code
    )
