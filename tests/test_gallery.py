"""The gallery shows every state of every page, to developers only, and leaves no trace."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client

from snipcart_checkout.contrib.gallery.samples import CHECKOUT_STATES, ORDERS, PAYMENT_STATES, PROBLEM_STATES
from snipcart_checkout.models import Event, Payment
from snipcart_checkout.presentation.languages import LANGUAGES
from snipcart_checkout.presentation.problems import Problem
from snipcart_checkout.testing import CheckoutSettings
from tests.support.sampling import sampled

pytestmark = pytest.mark.django_db

FRAMES = [
    f"/gallery/{page}/{state}/"
    for page, states in (
        ("checkout", CHECKOUT_STATES),
        ("payment", PAYMENT_STATES),
        ("problem", PROBLEM_STATES),
    )
    for state in states
]


@pytest.fixture(autouse=True)
def debug(settings: Any) -> None:
    settings.DEBUG = True


def see(path: str, **query: str) -> Any:
    return Client().get(path, query)


@pytest.mark.parametrize("path, language", sampled(product(FRAMES, ["en", "ar"]), every=2))
def test_every_state_is_shown_as_our_page_in_its_language(path: str, language: str) -> None:
    answer = see(path, language=language)
    assert answer.status_code != 500 or path.endswith("/unexpected/")
    page = answer.content.decode()
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert "--sc-accent" in page


def test_every_state_of_the_ledger_and_every_problem_has_its_exhibit() -> None:
    assert {columns["state"] for columns in PAYMENT_STATES.values()} == set(Payment.State)
    assert set(PROBLEM_STATES.values()) == set(Problem)


@pytest.mark.parametrize(
    "state, status, shown",
    [
        ("choose", 200, "Choose a payment method"),
        ("pay", 200, "Pay <bdi>€75.00</bdi>"),
        ("errors", 200, "Please correct the fields marked below"),
        ("changed", 409, "Your order has changed"),
        ("declined", 402, "There is not enough money in the account."),
        ("limit", 402, "Too many attempts"),
    ],
)
def test_a_checkout_state_is_what_it_says(state: str, status: int, shown: str) -> None:
    answer = see(f"/gallery/checkout/{state}/", language="en")
    assert answer.status_code == status
    assert shown in answer.content.decode()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("currency, sign", [("JPY", "¥"), ("KWD", "KWD")])
def test_an_order_can_be_chosen_and_its_currency(order: str, currency: str, sign: str) -> None:
    page = see("/gallery/checkout/pay/", language="en", order=order, currency=currency).content.decode()
    assert sign in page
    assert "<script>alert" not in page


def test_nothing_is_written_down() -> None:
    for path in FRAMES:
        see(path)
    assert not Payment.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize("path", ["/gallery/", *FRAMES])
def test_with_debug_off_there_is_no_gallery(settings: Any, path: str) -> None:
    settings.DEBUG = False
    assert see(path).status_code == 404


@pytest.mark.parametrize("path", ["/gallery/", *FRAMES])
def test_only_this_site_may_frame_it_and_nothing_can_be_sent(path: str) -> None:
    answer = see(path)
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer["Content-Security-Policy"]
    assert "Refresh" not in answer
    assert Client().post(path).status_code == 405


def test_the_real_pages_stay_unframeable() -> None:
    answer = see("/checkout/")
    assert answer["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


def test_every_state_stands_in_four_frames() -> None:
    page = see("/gallery/", language="fr").content.decode()
    framed = [path.partition("?")[0] for path in re.findall(r'<iframe src="([^"]+)"', page)]
    # One store with one method that asks for nothing, and whose PLANS are not refused.
    impossible = {
        "/gallery/checkout/choose/",
        "/gallery/checkout/errors/",
        "/gallery/problem/plan-refused/",
        "/gallery/problem/no-such-page/",
    }
    assert framed == [path for path in FRAMES if path not in impossible for _ in range(4)]


@pytest.mark.parametrize("code", ["fr", "fr-fr", "pt-br", "zh-hans", "en-us"])
def test_the_select_shows_the_language_of_the_page(settings: Any, code: str) -> None:
    settings.LANGUAGE_CODE = code
    page = see("/gallery/").content.decode()
    (selected,) = re.findall(r'<option value="([^"]+)" lang="[^"]+" selected', page)
    assert selected.lower() == {"fr-fr": "fr", "en-us": "en"}.get(code, code)


def test_one_state_can_be_seen_in_every_language() -> None:
    page = see("/gallery/", state="payment/paid").content.decode()
    framed = re.findall(r'<iframe src="/gallery/payment/paid/\?language=([^"&]+)"', page)
    assert len(set(framed)) == len(LANGUAGES)


def test_an_unknown_state_is_not_found() -> None:
    assert see("/gallery/", state="payment/imagined").status_code == 404
    assert see("/gallery/checkout/imagined/").status_code == 404


def test_what_is_chosen_reaches_the_frames() -> None:
    page = see("/gallery/", order="sixty", currency="JPY", state="checkout/pay").content.decode()
    assert "order=sixty&amp;currency=JPY" in page


def add_help(request: HttpRequest, session: Any, store: Any) -> dict[str, str]:
    return {"help_text": f"Ask about {session.id} at {store.name}"}


def test_the_sites_own_context_is_there(checkout_settings: CheckoutSettings) -> None:
    checkout_settings(CONTEXT="tests.test_gallery.add_help")
    assert "Ask about sample at live" in see("/gallery/checkout/pay/").content.decode()


def test_without_a_complete_store_there_is_nothing_to_show(checkout_settings: CheckoutSettings) -> None:
    checkout_settings.set("STORES", {})
    assert see("/gallery/").status_code == 404


def test_the_sandbox_leads_to_it() -> None:
    assert 'href="/gallery/"' in see("/sandbox/").content.decode()
