"""The sandbox as a shopper, a merchant and a developer see it: cart, payment step, confirmation, dashboard."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import responses
from django.apps import apps
from django.core.cache import cache
from django.core.checks import run_checks
from django.http import HttpResponse
from django.test import Client
from django.test.utils import override_script_prefix
from django.urls import include, re_path

from snipcart_checkout.sandbox import urls
from snipcart_checkout.sandbox.core.faults import FAULTS
from snipcart_checkout.sandbox.fault_scenarios import SCENARIOS
from tests.support.sandbox import (
    CART,
    KEYS,
    METHOD,
    METHODS_URL,
    REFUNDS_URL,
    SESSION,
    SETTING,
    STORE_KEYS,
    Shopper,
    merchant_offers,
    post_confirmation,
)

if TYPE_CHECKING:
    from pytest_django import Settings

PAGES = ["", "payment/", "dashboard/", "dashboard/activity/", "dashboard/faults/", "dashboard/gateway/"]
WITHOUT_SESSIONS = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]


@pytest.fixture(autouse=True)
def sandbox(settings: Settings) -> None:
    settings.DEBUG = True
    settings.SNIPCART_SANDBOX = SETTING
    cache.clear()


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


def sent(mock: responses.RequestsMock, number: int = 0) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(mock.calls[number].request.body or b"")
    return body


# Django 6.1 asks the database whether it can hold the ledger's constraints.
@pytest.mark.django_db
class TestRefusingToRun:
    @pytest.mark.parametrize("pattern", urls.urlpatterns, ids=lambda pattern: pattern.name)
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_every_view_answers_404_with_debug_off(
        self, settings: Settings, pattern: Any, method: str
    ) -> None:
        settings.DEBUG = False
        path = f"/sandbox/{re.sub('<[^>]+>', 'x', str(pattern.pattern))}"
        assert getattr(Client(), method)(path).status_code == 404

    def test_the_check_refuses_debug_off(self, settings: Settings) -> None:
        settings.DEBUG = False
        assert "snipcart_checkout.sandbox.E001" in {message.id for message in run_checks()}

    def test_with_debug_on_no_check_complains(self) -> None:
        assert not [m for m in run_checks() if (m.id or "").startswith("snipcart_checkout.sandbox")]

    @pytest.mark.parametrize(
        "value",
        [
            [],
            {"PRODUCT": {}},
            {"PRODUCTS": {}},
            {"PRODUCTS": {"mug": {"NAME": "Mug"}}},
            {"PRODUCTS": {"mug": {"NAME": "Mug", "PRICES": {"EUR": "much"}}}},
            {"PRODUCTS": {"mug": {"NAME": "Mug", "TYPE": "Ware", "PRICES": {"EUR": "1"}}}},
            {"STORES": {"live": {"API_KEYS": ["only one"]}}},
        ],
    )
    def test_a_setting_that_cannot_be_read_is_an_error(self, settings: Settings, value: object) -> None:
        settings.SNIPCART_SANDBOX = value
        assert "snipcart_checkout.sandbox.E002" in {message.id for message in run_checks()}

    def test_a_sandbox_without_address_is_a_warning(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "snipcart_checkout.urls"
        assert "snipcart_checkout.sandbox.W001" in {message.id for message in run_checks()}

    @pytest.mark.parametrize("pages_of_a_cms", [r"^((?:[\w-]+/)*)$", r"^"])
    def test_a_sandbox_behind_a_catch_all_is_a_warning(self, settings: Settings, pages_of_a_cms: str) -> None:
        catch_all = re_path(pages_of_a_cms, lambda *_: HttpResponse())
        mounted = re_path("^sandbox/", include("snipcart_checkout.sandbox.urls"))
        settings.ROOT_URLCONF = (catch_all, mounted)
        (warning,) = [message for message in run_checks() if message.id == "snipcart_checkout.sandbox.W001"]
        assert "another pattern comes before it" in warning.msg

        settings.ROOT_URLCONF = (mounted, catch_all)
        assert "snipcart_checkout.sandbox.W001" not in {message.id for message in run_checks()}

    def test_a_cache_that_forgets_is_a_warning(self, settings: Settings) -> None:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
        assert "snipcart_checkout.sandbox.W002" in {message.id for message in run_checks()}


class TestEveryPage:
    @pytest.mark.parametrize("path", PAGES)
    def test_says_that_no_money_moves(self, shopper: Shopper, path: str) -> None:
        with merchant_offers(METHOD):
            shopper.fill()
            page = shopper.client.get(f"/sandbox/{path}")
        assert page.status_code == 200
        assert "No money moves" in page.content.decode()

    @pytest.mark.parametrize("path", PAGES)
    def test_loads_own_files_only_and_holds_no_script(self, shopper: Shopper, path: str) -> None:
        with merchant_offers(METHOD):
            shopper.fill()
            page = shopper.client.get(f"/sandbox/{path}")
        text = page.content.decode()
        assert "<script" not in text
        assert not re.search(r"\s(style|on\w+)=", text)
        assert re.findall(r'(?:src|<link[^>]+href)="(?!/static/)', text) == []
        assert page["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
        assert "no-store" in page["Cache-Control"]

    @pytest.mark.parametrize("path", PAGES)
    def test_works_without_sessions_and_without_settings(self, settings: Settings, path: str) -> None:
        del settings.SNIPCART_SANDBOX
        settings.MIDDLEWARE = WITHOUT_SESSIONS
        shopper = Shopper()
        assert shopper.fill().status_code == 302
        assert shopper.client.get(f"/sandbox/{path}").status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["", "payment/", "language/", "dashboard/faults/", "dashboard/gateway/", "dashboard/activity/"],
    )
    def test_a_post_without_csrf_token_is_refused(self, path: str) -> None:
        assert Client(enforce_csrf_checks=True).post(f"/sandbox/{path}", {"add": "mug"}).status_code == 403

    @pytest.mark.parametrize("accepted, spoken", [("fr-CA,fr;q=0.9", "fr"), ("de", "en"), ("en-GB", "en")])
    def test_a_new_cart_speaks_the_browsers_language(self, accepted: str, spoken: str) -> None:
        page = Client(headers={"Accept-Language": accepted}).get("/sandbox/").content.decode()
        assert f'<html lang="{spoken}">' in page

    def test_the_language_can_be_switched(self, shopper: Shopper) -> None:
        shopper.fill()
        answer = shopper.client.post("/sandbox/language/", {"language": "fr", "next": "/sandbox/dashboard/"})
        assert answer["Location"] == "/sandbox/dashboard/"
        assert '<html lang="fr">' in shopper.client.get("/sandbox/").content.decode()

    def test_the_language_switch_leads_nowhere_else(self, shopper: Shopper) -> None:
        answer = shopper.client.post("/sandbox/language/", {"language": "fr", "next": "https://x.example/"})
        assert answer["Location"] == "/sandbox/"


class TestCart:
    def test_adding_a_product_needs_nothing_but_its_name(self, shopper: Shopper) -> None:
        shopper.client.post("/sandbox/", {"add": "mug"})
        shopper.client.post("/sandbox/", {"add": "mug"})
        page = shopper.client.get("/sandbox/").content.decode()
        assert "€36.00" in page

    def test_a_product_that_is_not_sold_is_not_added(self, shopper: Shopper) -> None:
        shopper.client.post("/sandbox/", {"add": "car"})
        assert "Nothing yet." in shopper.client.get("/sandbox/").content.decode()

    @pytest.mark.parametrize(
        "changes, total",
        [
            ({}, "€40.90"),
            ({"shipping": "pickup"}, "€36.00"),
            ({"coupon": "welcome"}, "€37.30"),
            ({"coupon": "FREE", "shipping": "pickup"}, "€0.00"),
            ({"tax": "added"}, "€49.08"),
            ({"tax": "included"}, "€40.90"),
            ({"currency": "USD"}, "$44.50"),
            ({"currency": "CAD"}, "CA$56.65"),
            ({"currency": "JPY"}, "¥6,600"),
            ({"currency": "KWD"}, "KWD13.375"),
            ({"currency": "JPY", "coupon": "WELCOME", "tax": "added"}, "¥7,224"),
        ],
    )
    def test_the_total_follows_from_everything_in_the_cart(
        self, shopper: Shopper, changes: dict[str, str], total: str
    ) -> None:
        shopper.fill(**changes)
        page = shopper.client.get("/sandbox/").content.decode().replace("\xa0", "")
        (shown,) = re.findall(r'<th scope="row">Total</th><td><bdi>([^<]+)', page)
        assert shown == total

    @pytest.mark.parametrize(
        "changes",
        [
            {"coupon": "NOPE"},
            {"currency": "GBP"},
            {"language": "tlh"},
            {"email": "ada"},
            {"quantity_mug": "-1"},
            {"mode": "Live"},
            {"shape": "other"},
        ],
    )
    def test_what_is_filled_in_wrongly_is_said_and_changes_nothing(
        self, shopper: Shopper, changes: dict[str, str]
    ) -> None:
        shopper.fill()
        answer = shopper.fill(do="pay", **changes)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.content.decode()
        assert "€40.90" in shopper.client.get("/sandbox/").content.decode()

    def test_an_empty_cart_does_not_go_to_the_payment(self, shopper: Shopper) -> None:
        assert shopper.fill(quantity_mug="0", do="pay")["Location"] == "/sandbox/"
        assert shopper.client.get("/sandbox/payment/")["Location"] == "/sandbox/"

    def test_two_shoppers_have_two_carts(self, shopper: Shopper) -> None:
        shopper.fill()
        assert "Nothing yet." in Client().get("/sandbox/").content.decode()

    def test_a_forged_cookie_gives_a_new_cart(self, shopper: Shopper) -> None:
        shopper.fill()
        cookie = shopper.client.cookies["snipcart_sandbox_cart"].value
        other = Client()
        other.cookies["snipcart_sandbox_cart"] = cookie[:-3] + "abc"
        assert "Nothing yet." in other.get("/sandbox/").content.decode()

    def test_products_and_names_come_from_the_setting(self, settings: Settings) -> None:
        settings.SNIPCART_SANDBOX = {
            "PRODUCTS": {"tea": {"NAME": {"fr": "Thé", "en": "Tea"}, "PRICES": {"GBP": "4.5"}}}
        }
        shopper = Shopper()
        shopper.fill(currency="GBP", quantity_tea="2", language="fr-CA")
        page = shopper.client.get("/sandbox/").content.decode().replace("\xa0", " ")
        assert "Thé" in page
        assert "13" not in page.partition("Total")[2]
        assert "9,00 £GB" in page or "9,00 £" in page


class TestPaymentStep:
    def test_offers_what_the_merchant_answers_by_name_or_icon(self, shopper: Shopper) -> None:
        shopper.fill()
        pictured = {**METHOD, "id": "acme_icon", "name": "Pictured", "iconUrl": "https://x.example/i.svg"}
        with merchant_offers(METHOD, pictured):
            page = shopper.see_methods()
        assert "<bdi>Acme card</bdi>" in page
        assert '<img src="https://x.example/i.svg" alt="Pictured"' in page
        assert "<bdi>Pictured</bdi>" not in page

    @pytest.mark.parametrize(
        "style, key, mode", [("body", "publicToken", "live"), ("capital", "PublicToken", "Live")]
    )
    def test_the_token_is_in_the_body(self, shopper: Shopper, style: str, key: str, mode: str) -> None:
        shopper.fill(webhook_style=style)
        with merchant_offers(METHOD) as merchant:
            shopper.see_methods()
            body = sent(merchant)
            assert "?" not in (merchant.calls[0].request.url or "")
        assert re.fullmatch(r"[A-Za-z0-9._~+/=-]{100,4096}", body[key])
        assert body["mode"] == mode
        assert body["invoice"]["amount"] == 40.9

    def test_the_token_is_in_the_query(self, shopper: Shopper) -> None:
        shopper.fill(webhook_style="query")
        with merchant_offers(METHOD) as merchant:
            shopper.see_methods()
            assert "?publicToken=eyJ" in (merchant.calls[0].request.url or "")
            assert set(sent(merchant)) == {"mode", "invoice"}

    def test_the_test_half_is_asked_at_its_own_url_with_its_own_mode(self, shopper: Shopper) -> None:
        shopper.fill(mode="test")
        with merchant_offers(METHOD, mode="test") as merchant:
            shopper.see_methods()
            assert sent(merchant)["mode"] == "test"

    def test_a_request_token_comes_along(self, shopper: Shopper) -> None:
        shopper.fill()
        with merchant_offers(METHOD) as merchant:
            shopper.see_methods()
            assert merchant.calls[0].request.headers["X-Snipcart-RequestToken"].startswith("eyJ")

    @pytest.mark.parametrize(
        "answer, said",
        [
            ({"json": []}, "an empty list: nothing fits this order"),
            ({"json": {"methods": []}}, "bare JSON array"),
            ({"json": "x", "status": 503}, "status 503 instead of 200"),
            ({"body": "[", "content_type": "application/json"}, "not JSON"),
            ({"body": "[]", "content_type": "text/html"}, "text/html instead of application/json"),
            ({"status": 302, "headers": {"Location": "https://x.example/"}, "json": []}, "status 302"),
            ({"body": requests.Timeout()}, "took too long"),
            ({"body": requests.ConnectionError()}, "the connection failed"),
            ({"body": requests.exceptions.SSLError()}, "certificate is not trusted"),
            ({"json": [{**METHOD, "checkoutUrl": "http://pay.shop.example/"}]}, "is not https"),
            ({"json": [{**METHOD, "id": "paypal"}]}, "one of Snipcart"),
            ({"json": [5]}, "has to be an object"),
        ],
    )
    def test_says_why_there_is_no_method(self, shopper: Shopper, answer: dict[str, Any], said: str) -> None:
        shopper.fill()
        with merchant_offers(**answer):
            page = shopper.see_methods()
        assert said in page
        assert 'name="method"' not in page
        assert "No payment method" in page

    def test_good_methods_are_shown_beside_the_explanation_of_bad_ones(self, shopper: Shopper) -> None:
        shopper.fill()
        with merchant_offers(METHOD, METHOD, {**METHOD, "id": "card", "name": "Bad"}):
            page = shopper.see_methods()
        assert page.count('name="method"') == 1
        assert "stands twice" in page
        assert "<bdi>Bad</bdi>" in page

    def test_a_slow_answer_is_remarked_upon(self, shopper: Shopper, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter([0.0, 6.0, 7.0, 8.0])
        monkeypatch.setattr("snipcart_checkout.sandbox.calls.time.monotonic", lambda: next(clock))
        shopper.fill()
        with merchant_offers(METHOD):
            assert "The answer took 6000 ms" in shopper.see_methods()

    def test_without_an_address_to_ask_it_says_so(self, settings: Settings, shopper: Shopper) -> None:
        settings.SNIPCART_SANDBOX = {}
        shopper.fill()
        assert "Snipcart has no payment-methods URL yet." in shopper.see_methods()

    def test_an_address_that_is_not_https_is_not_called(self, shopper: Shopper) -> None:
        shopper.client.post(
            "/sandbox/dashboard/gateway/", {"mode": "live", "payment_methods_url": "http://pay.shop.example/"}
        )
        shopper.fill()
        assert "The payment-methods URL is not https." in shopper.see_methods()

    def test_a_path_leads_to_this_very_server(self, shopper: Shopper) -> None:
        shopper.client.post(
            "/sandbox/dashboard/gateway/", {"mode": "live", "payment_methods_url": "/here/?a=b"}
        )
        shopper.fill()
        with responses.RequestsMock() as merchant:
            merchant.add(responses.POST, "http://localhost/here/?a=b", json=[METHOD])
            page = shopper.client.get("/sandbox/payment/", SERVER_NAME="localhost").content.decode()
        assert "Acme card" in page

    def test_choosing_leads_to_the_checkout_page_with_a_new_token(self, shopper: Shopper) -> None:
        shopper.fill()
        with merchant_offers(METHOD) as merchant:
            shopper.see_methods()
            first = sent(merchant)["publicToken"]
        location = shopper.choose()
        assert location.startswith(f"{METHOD['checkoutUrl']}&publicToken=eyJ")
        assert shopper.token != first
        assert shopper.session()["paymentMethod"] == "acme_card"

    def test_a_method_that_was_not_offered_cannot_be_chosen(self, shopper: Shopper) -> None:
        shopper.fill()
        with merchant_offers(METHOD):
            shopper.see_methods()
        assert (
            shopper.client.post("/sandbox/payment/", {"method": "other"})["Location"] == "/sandbox/payment/"
        )

    def test_a_webhook_can_be_sent_twice(self, shopper: Shopper) -> None:
        shopper.fill()
        shopper.switch_on("payment-methods:sent-twice")
        with merchant_offers(METHOD) as merchant:
            shopper.see_methods()
            assert len(merchant.calls) == 2
            assert merchant.calls[0].request.body == merchant.calls[1].request.body

    def test_the_way_back_opens_the_same_cart_in_any_browser(self, shopper: Shopper) -> None:
        shopper.arrive()
        back = shopper.session()["paymentAuthorizationRedirectUrl"]
        assert back.endswith("#/checkout")
        assert "€40.90" in Client().get(back.partition("#")[0]).content.decode()


class TestConfirmation:
    def test_a_paid_order_is_thanked_for_and_the_cart_is_empty_again(self, shopper: Shopper) -> None:
        shopper.arrive()
        url = shopper.confirm(instructions="Keep the <b>receipt</b>.").json()["returnUrl"]
        page = shopper.client.get(url).content.decode()
        assert "Thank you for your order" in page
        assert "Keep the &lt;b&gt;receipt&lt;/b&gt;." in page
        assert "Nothing yet." in shopper.client.get("/sandbox/").content.decode()

    def test_a_pending_order_says_that_the_payment_is_awaited(self, shopper: Shopper) -> None:
        shopper.arrive()
        url = shopper.confirm(state="processing").json()["returnUrl"]
        assert "as soon as its payment has arrived" in shopper.client.get(url).content.decode()

    @pytest.mark.parametrize(
        "error, shown",
        [
            ({"code": "insufficient_funds", "message": "No."}, "There is not enough money on the card."),
            ({"code": "acme_77", "message": "Acme says no."}, "Acme says no."),
            ({"code": "acme_77"}, "Your payment could not be completed."),
            (None, "Your payment could not be completed."),
        ],
    )
    def test_a_failure_shows_the_text_of_its_code_or_its_message(
        self, shopper: Shopper, error: Any, shown: str
    ) -> None:
        shopper.arrive()
        url = shopper.confirm(state="failed", error=error).json()["returnUrl"]
        page = shopper.client.get(url).content.decode()
        assert shown in page
        assert "Try again" in page

    def test_after_a_failure_the_cart_is_still_full_and_has_a_new_session(self, shopper: Shopper) -> None:
        shopper.arrive()
        first = shopper.session()["id"]
        shopper.confirm(state="failed")
        with merchant_offers(METHOD):
            shopper.see_methods()
        shopper.choose()
        assert shopper.session()["id"] != first
        assert shopper.session()["invoice"]["amount"] == 40.9

    def test_without_failure_a_cart_keeps_its_session(self, shopper: Shopper) -> None:
        shopper.arrive()
        first = shopper.session()["id"]
        shopper.arrive(quantity_mug="3")
        assert shopper.session()["id"] == first

    @pytest.mark.parametrize("key", ["unknown", "x" * 32])
    def test_an_order_that_is_not_one_is_not_found(self, shopper: Shopper, key: str) -> None:
        assert shopper.client.get(f"/sandbox/orders/{key}/").status_code == 404


class TestDashboard:
    def test_lists_orders_with_state_transaction_and_total(self, shopper: Shopper) -> None:
        shopper.arrive()
        assert "Being paid" in shopper.client.get("/sandbox/dashboard/").content.decode()
        shopper.confirm()
        page = shopper.client.get("/sandbox/dashboard/").content.decode()
        assert "SNIP-1001" in page
        assert "tr_1" in page
        assert "Paid" in page
        assert "€40.90" in page

    @pytest.mark.parametrize("state, label", [("failed", "Failed"), ("invalidated", "Void")])
    def test_a_pending_order_may_come_to_nothing(self, shopper: Shopper, state: str, label: str) -> None:
        shopper.arrive()
        shopper.confirm(state="processing")
        assert "Payment awaited" in shopper.see_order()
        assert shopper.confirm(state=state).status_code == 200
        assert label in shopper.see_order()

    def refund(self, shopper: Shopper, amount: str, answer: dict[str, Any]) -> list[Any]:
        with responses.RequestsMock() as merchant:
            merchant.add(responses.POST, REFUNDS_URL, **answer)
            posted = shopper.client.post(shopper.order_path(), {"amount": amount})
            assert posted.status_code == 302
            return list(merchant.calls)

    def test_a_refund_posts_the_documented_body_and_shows_the_answer(self, shopper: Shopper) -> None:
        shopper.arrive()
        shopper.confirm()
        calls = self.refund(shopper, "20.75", {"json": {"refundId": "re-1"}})
        body = json.loads(calls[0].request.body)
        assert set(body) == {"paymentId", "amount"}
        assert body["amount"] == 20.75
        assert calls[0].request.headers["X-Snipcart-RequestToken"].startswith("eyJ")
        page = shopper.see_order()
        assert "re-1" in page
        assert "€20.15 are left" in page

    def test_what_is_left_is_offered_with_all_its_decimals(self, shopper: Shopper) -> None:
        shopper.arrive()
        shopper.confirm()
        assert 'name="amount" value="40.90"' in shopper.see_order()

    def test_full_refunds_leave_nothing(self, shopper: Shopper) -> None:
        shopper.arrive()
        shopper.confirm()
        self.refund(shopper, "40.90", {"json": {"refundId": "re-1"}})
        assert "€0.00 are left" in shopper.see_order()

    @pytest.mark.parametrize(
        "answer, said",
        [
            ({"json": {"error": "more than is left"}, "status": 409}, "more than is left"),
            ({"json": {}}, "&#x27;refundId&#x27; is missing"),
            ({"body": requests.Timeout()}, "took too long"),
        ],
    )
    def test_a_refund_that_did_not_work_says_why_and_takes_nothing_off(
        self, shopper: Shopper, answer: dict[str, Any], said: str
    ) -> None:
        shopper.arrive()
        shopper.confirm()
        self.refund(shopper, "5", answer)
        page = shopper.see_order()
        assert said in page
        assert "€40.90 are left" in page

    @pytest.mark.parametrize("amount", ["", "x", "-1"])
    def test_an_amount_that_is_none_is_not_sent(self, shopper: Shopper, amount: str) -> None:
        shopper.arrive()
        shopper.confirm()
        assert shopper.client.post(shopper.order_path(), {"amount": amount}).status_code == 400

    def test_french_amounts_have_a_comma(self, shopper: Shopper) -> None:
        shopper.arrive(language="fr")
        shopper.confirm()
        calls = self.refund(shopper, "1,25", {"json": {"refundId": "re-1"}})
        assert json.loads(calls[0].request.body)["amount"] == 1.25

    def test_without_a_link_there_is_nothing_to_refund_with(self, shopper: Shopper) -> None:
        shopper.arrive()
        session_id = shopper.session()["id"]
        post_confirmation({"paymentSessionId": session_id, "state": "processed", "transactionId": "t"})
        assert "gave no address for refunds" in shopper.see_order()
        assert shopper.client.post(shopper.order_path(), {"amount": "1"}).status_code == 400

    @pytest.mark.parametrize(
        "fault, count, header",
        [("sent-twice", 2, True), ("no-request-token", 1, False), ("forged-request-token", 1, True)],
    )
    def test_a_refund_can_be_sent_twice_or_without_proof(
        self, shopper: Shopper, fault: str, count: int, header: bool
    ) -> None:
        shopper.arrive()
        shopper.confirm()
        shopper.switch_on(f"refund:{fault}")
        calls = self.refund(shopper, "5", {"json": {"refundId": "re-1"}})
        assert len(calls) == count
        assert ("X-Snipcart-RequestToken" in calls[0].request.headers) is header

    def test_a_refund_sent_twice_counts_once(self, shopper: Shopper) -> None:
        shopper.arrive()
        shopper.confirm()
        shopper.switch_on("refund:sent-twice")
        self.refund(shopper, "5", {"json": {"refundId": "re-1"}})
        assert "€35.90 are left" in shopper.see_order()

    def test_the_cart_can_change_as_in_another_tab(self, shopper: Shopper) -> None:
        shopper.arrive()
        assert shopper.session()["invoice"]["amount"] == 40.9
        shopper.client.post(f"{shopper.order_path()}change/", {"do": "cart"})
        assert shopper.session()["invoice"]["amount"] == 58.9

    def test_an_order_that_is_not_what_the_merchant_read_is_pointed_out(self, shopper: Shopper) -> None:
        shopper.arrive()
        session_id = shopper.session()["id"]
        shopper.client.post(f"{shopper.order_path()}change/", {"do": "cart"})
        post_confirmation({"paymentSessionId": session_id, "state": "processed", "transactionId": "t"})
        assert "The shop read €40.90 last, but the order is of €58.90" in shopper.see_order()

    def test_a_session_can_be_made_to_expire(self, shopper: Shopper) -> None:
        shopper.arrive()
        shopper.client.post(f"{shopper.order_path()}change/", {"do": "expire"})
        assert shopper.client.get(SESSION, {"publicToken": shopper.token}).status_code == 410

    def test_an_expired_session_can_be_brought_back_to_life(self, shopper: Shopper) -> None:
        shopper.arrive()
        for do in ("expire", "revive"):
            shopper.client.post(f"{shopper.order_path()}change/", {"do": do})
        assert shopper.session()["invoice"]["amount"] == 40.9

    def test_a_cart_can_have_two_sessions_and_both_can_be_paid(self, shopper: Shopper) -> None:
        shopper.arrive()
        first = shopper.session()
        shopper.client.post(f"{shopper.order_path()}change/", {"do": "second_session"})
        shopper.open_checkout()
        second = shopper.session()
        assert first["id"] != second["id"]
        assert first["invoice"] == second["invoice"]
        for session in (first, second):
            body = {"paymentSessionId": session["id"], "state": "processed", "transactionId": "t"}
            assert post_confirmation(body).status_code == 200
        page = shopper.client.get("/sandbox/dashboard/").content.decode()
        assert page.count('class="badge good"') == 2

    def test_a_changed_cart_shows_in_each_of_its_sessions(self, shopper: Shopper) -> None:
        token = shopper.arrive()
        shopper.client.post(f"{shopper.order_path()}change/", {"do": "second_session"})
        shopper.open_checkout()
        shopper.client.post(f"{shopper.order_path()}change/", {"do": "cart"})
        for one in (token, shopper.token):
            answer = shopper.client.get(SESSION, {"publicToken": one}).json()
            assert answer["invoice"]["amount"] == 58.9

    def test_a_checkout_page_is_opened_with_a_new_token(self, shopper: Shopper) -> None:
        first = shopper.arrive()
        assert shopper.open_checkout() != first
        assert shopper.session()["id"]

    @pytest.mark.parametrize("path", ["x/", "x/change/"])
    def test_an_unknown_order_is_not_found(self, shopper: Shopper, path: str) -> None:
        assert shopper.client.post(f"/sandbox/dashboard/orders/{path}").status_code == 404

    def test_switches_can_be_switched_off_one_by_one_and_all_at_once(self, shopper: Shopper) -> None:
        for fault in ("payment-session:500", "payment:503", "payment:cut-before"):
            shopper.switch_on(fault, when="always")
        page = shopper.client.get("/sandbox/dashboard/faults/").content.decode()
        first, *_ = re.findall(r'name="off" value="(\w+)"', page)
        shopper.client.post("/sandbox/dashboard/faults/", {"off": first})
        page = shopper.client.get("/sandbox/dashboard/faults/").content.decode()
        assert len(re.findall(r'name="off" value="\w+"', page)) == 2
        shopper.client.post("/sandbox/dashboard/faults/", {"off": ""})
        assert "all goes well" in shopper.client.get("/sandbox/dashboard/faults/").content.decode()

    def test_five_scenarios_stand_above_the_folded_switches(self, shopper: Shopper) -> None:
        page = shopper.client.get("/sandbox/dashboard/faults/").content.decode()
        scenarios, folded, switches = page.partition("<details>")
        assert scenarios.count('name="scenario"') == 5
        assert folded
        assert switches.count('name="fault"') > 50
        assert not re.search(r"<button[^>]*>\s*[\d\s]*</button>", page)

    @pytest.mark.parametrize("scenario", SCENARIOS)
    def test_a_scenario_switches_on_what_it_names_and_nothing_else(
        self, shopper: Shopper, scenario: str
    ) -> None:
        shopper.switch_on("validate:500", when="always")
        assert shopper.client.post("/sandbox/dashboard/faults/", {"scenario": scenario}).status_code == 302
        page = shopper.client.get("/sandbox/dashboard/faults/").content.decode()
        assert len(re.findall(r'name="off" value="\w+"', page)) == 1
        assert (
            str(FAULTS[SCENARIOS[scenario].fault].words).replace("'", "&#x27;") in page.partition("<aside")[2]
        )

    def test_the_cart_changes_in_its_scenario_after_the_second_reading(self, shopper: Shopper) -> None:
        shopper.client.post("/sandbox/dashboard/faults/", {"scenario": "cart-changes"})
        shopper.arrive()
        assert [shopper.session()["invoice"]["amount"] for _ in range(3)] == [40.9, 40.9, 58.9]

    def test_a_fault_that_does_not_exist_is_refused(self, shopper: Shopper) -> None:
        answer = shopper.client.post(
            "/sandbox/dashboard/faults/", {"fault": "payment:session-expired", "when": "1"}
        )
        assert answer.status_code == 400

    def test_a_regenerated_key_is_shown_and_the_old_one_is_gone(self, shopper: Shopper) -> None:
        shopper.client.post("/sandbox/dashboard/gateway/", {"mode": "live", "regenerate": "0"})
        page = shopper.client.get("/sandbox/dashboard/gateway/").content.decode()
        assert KEYS["live"][0] not in page
        assert KEYS["live"][1] in page
        assert KEYS["test"][0] in page

    def test_the_gateways_page_holds_settings_to_copy(self, shopper: Shopper) -> None:
        page = shopper.client.get("/sandbox/dashboard/gateway/").content.decode()
        shown = re.search(r"<pre[^>]*>SNIPCART_CHECKOUT = (.*?)</pre>", page, re.DOTALL)
        assert shown
        settings = ast.literal_eval(shown[1].replace("…", ""))
        assert settings["API_URL"] == settings["APP_API_URL"] == "http://testserver/sandbox/api"
        assert settings["PUBLIC_URL"] == "http://testserver"
        for mode in ("live", "test"):
            assert settings["STORES"][mode] == {
                "MODE": mode,
                "API_KEYS": KEYS[mode],
                "STORE_SECRET_KEY": STORE_KEYS[mode],
                "SHOP_HOSTS": ["testserver"],
                "METHODS": {},
            }


class TestActivityLog:
    def test_tells_a_whole_order_in_sentences(self, shopper: Shopper) -> None:
        shopper.arrive()
        url = shopper.confirm().json()["returnUrl"]
        shopper.client.get(url)
        log = re.sub(r"<[^>]+>|\s+", " ", shopper.see_order())
        sentences = [
            "Snipcart asked the shop how this order can be paid. It offered Acme card.",
            "The shopper chose Acme card and went to the shop&#x27;s checkout page with a new token.",
            "The shop read the payment session: €40.90.",
            "The shop sent a confirmation: “processed”.",
            "The shopper saw the result of the payment.",
        ]
        places = [log.find(sentence) for sentence in sentences]
        assert -1 not in places
        assert places == sorted(places)

    def test_shows_requests_and_answers_without_any_secret(self, shopper: Shopper) -> None:
        shopper.arrive()
        shopper.confirm()
        with responses.RequestsMock() as merchant:
            merchant.add(responses.POST, REFUNDS_URL, json={"refundId": "re-1"})
            shopper.client.post(shopper.order_path(), {"amount": "5"})
        log = shopper.see_activity()
        assert "Bearer …1111" in log
        assert "&quot;transactionId&quot;: &quot;tr_1&quot;" in log
        assert "&quot;refundId&quot;: &quot;re-1&quot;" in log
        assert f"POST {METHODS_URL}" in log
        secrets = [*KEYS["live"], *KEYS["test"], *STORE_KEYS.values(), shopper.token, "c4p4b1l1ty-0f"]
        assert [secret for secret in secrets if secret in log] == []
        assert not re.search(r"eyJ[\w-]{10}", log)

    def test_a_key_sent_by_mistake_is_not_written_down_either(self, shopper: Shopper) -> None:
        post_confirmation({}, key="a-real-live-key-of-the-merchant")
        assert "a-real-live-key" not in shopper.see_activity()

    def test_is_grouped_by_order(self, shopper: Shopper) -> None:
        other = Shopper()
        shopper.arrive()
        other.arrive()
        shopper.confirm()
        log = re.sub(r"<[^>]+>|\s+", " ", shopper.see_activity())
        first, second = (log.partition(f"SNIP-{number}")[2] for number in (1001, 1002))
        assert "sent a confirmation" in first.partition("SNIP-1002")[0]
        assert "sent a confirmation" not in second
        assert "went to the shop" in second

    def test_speaks_the_language_of_the_cart(self, shopper: Shopper) -> None:
        shopper.arrive()
        english = shopper.see_activity()
        shopper.client.post("/sandbox/language/", {"language": "fr"})
        french = shopper.see_activity()
        assert "The shopper chose" in english
        assert "The shopper chose" not in french

    def test_can_be_forgotten(self, shopper: Shopper) -> None:
        shopper.arrive()
        shopper.client.post("/sandbox/dashboard/activity/")
        assert "Nothing has happened yet." in shopper.see_activity()


@pytest.mark.django_db
class TestUnusualSites:
    @override_script_prefix("/prefix/")
    def test_under_a_script_name_every_link_has_it(self) -> None:
        set_gateway = {"mode": "live", "payment_methods_url": "/here/"}
        client = Client(SCRIPT_NAME="/prefix", SERVER_NAME="localhost")
        client.post("/sandbox/dashboard/gateway/", set_gateway)
        with responses.RequestsMock() as merchant:
            merchant.add(responses.POST, "http://localhost/prefix/here/", json=[METHOD])
            assert client.post("/sandbox/", {**CART, "do": "pay"})["Location"] == "/prefix/sandbox/payment/"
            page = client.get("/sandbox/payment/").content.decode()
        assert "Acme card" in page
        hrefs = re.findall(r'(?:href|action)="(/[^"]*)"', page)
        assert [link for link in hrefs if not link.startswith(("/prefix/", "/static/"))] == []
        page = client.get("/sandbox/dashboard/gateway/").content.decode()
        assert '"API_URL": "http://localhost/prefix/sandbox/api"' in page
        assert '"PUBLIC_URL": "http://localhost/prefix"' in page

    @override_script_prefix("/prefix/")
    def test_under_a_script_name_orders_are_shown_and_read(self) -> None:
        shopper = Shopper(Client(SCRIPT_NAME="/prefix"))
        with merchant_offers(METHOD):
            assert shopper.fill(do="pay")["Location"] == "/prefix/sandbox/payment/"
            shopper.see_methods()
        shopper.choose()
        assert "/prefix/sandbox/?cart=" in shopper.session()["paymentAuthorizationRedirectUrl"]
        url = shopper.confirm().json()["returnUrl"]
        assert url.startswith("http://testserver/prefix/sandbox/orders/")

    def test_a_site_that_demands_a_login_lets_everybody_in(self, settings: Settings) -> None:
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
        shopper = Shopper()
        shopper.arrive()
        assert shopper.confirm().status_code == 200
        for path in PAGES:
            assert shopper.client.get(f"/sandbox/{path}").status_code in {200, 302}


def test_the_sandbox_imports_nothing_of_the_app_that_it_is_for() -> None:
    package = Path(urls.__file__).parent
    for path in package.rglob("*.py"):
        ours = re.findall(r"(?:from|import) (snipcart_checkout[\w.]*)", path.read_text())
        assert {name.split(".")[1] for name in ours} <= {"sandbox"}, path


def test_the_sandbox_keeps_no_tables() -> None:
    assert not list(apps.get_app_config("snipcart_sandbox").get_models())
