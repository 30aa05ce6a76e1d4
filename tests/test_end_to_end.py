"""The whole story in a real browser, on the example project as `make demo` starts it.

With KEEP_PICTURES=1 a picture of every station stays in test-results/stations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.example_shop import ExampleShop, Visitor, example_shop

pytestmark = pytest.mark.browser

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleShop]:
    with example_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture
def visit(new_context: NewContext, shop: ExampleShop) -> Callable[..., Visitor]:
    def visit(**how: Any) -> Visitor:
        context = new_context(**{"locale": "en-GB", "viewport": {"width": 1200, "height": 800}, **how})
        return Visitor(context.new_page(), shop)

    return visit


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    return visit()


def test_a_mug_is_bought_and_its_money_goes_back_in_two_parts(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.look("shop")
    visitor.put_into_cart("mug")
    visitor.sees("Mug", "€18.00")
    visitor.look("cart")
    visitor.go_to_payment()
    visitor.sees("Dummy payment", "Bank transfer")
    visitor.look("payment-step")
    visitor.choose("example_dummy")
    visitor.sees("Mug", "Pay €18.00")
    visitor.look("checkout")
    visitor.pay()
    visitor.arrive_at_order()
    visitor.sees("is paid")
    visitor.look("confirmation")

    visitor.open_order()
    visitor.sees("processed", "€18.00 are left")
    visitor.refund("5")
    visitor.sees("€13.00 are left")
    visitor.refund("13")
    visitor.sees("€0.00 are left", "Refunded: €18.00")
    visitor.refund("1")
    visitor.sees("refused", "409")
    visitor.look("refunds")
    visitor.open("/")
    visitor.sees("€18.00")
    visitor.look("till")


def test_the_activity_log_has_sentences_with_requests_and_without_secrets(visitor: Visitor) -> None:
    visitor.arrive("example_dummy")
    visitor.pay()
    visitor.arrive_at_order()
    visitor.open_order()
    visitor.refund("5")
    visitor.open("/sandbox/dashboard/activity/")
    for summary in visitor.page.locator("main summary").all():
        summary.click()
    visitor.sees(
        "Snipcart asked the shop how this order can be paid. It offered PiggyPay, Bank transfer, Dummy payment.",
        "The shop sent a confirmation: “processed”.",
        "The merchant refunded €5.00 on the dashboard, and the shop did it.",
        '"paymentSessionId"',
        "Bearer …",
    )
    told = visitor.page.locator("main").inner_text()
    assert "first-key-of-two" not in told
    visitor.look("activity")


class TestOutcomes:
    """What the dummy backend can make of a payment."""

    def test_a_pending_payment_is_an_order_that_awaits_its_money(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.pick("processing")
        visitor.pay()
        visitor.arrive_at_order()
        visitor.sees("as soon as its payment has arrived")
        visitor.look("pending-confirmation")

    def test_a_declined_payment_can_be_tried_again(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.pick("failed")
        visitor.pay()
        visitor.sees("The payment was declined")
        visitor.look("declined")
        visitor.pick("processed")
        visitor.pay()
        visitor.arrive_at_order()
        visitor.sees("is paid")
        assert sorted(visitor.shop.payments(visitor.open_latest_order())) == ["declined", "paid"]

    def test_a_declined_payment_can_be_given_up_and_the_cart_says_why(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.pick("failed")
        visitor.page.locator("input[name=code]").fill("insufficient_funds")
        visitor.pay()
        visitor.press("Back to the shop")
        visitor.arrive_at_order()
        visitor.sees_heading("The payment failed")
        visitor.sees("There is not enough money on the card.", "insufficient_funds")
        visitor.look("failed-confirmation")
        visitor.follow("Try again")
        visitor.sees("Dummy payment")

    def test_a_slow_payment_ends_at_the_order_too(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.pick("slow")
        visitor.pay()
        visitor.arrive_at_order()
        visitor.sees("is paid")

    def test_a_lost_answer_is_asked_for_later_and_never_charged_anew(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.pick("unknown")
        visitor.pay()
        visitor.sees_heading("Your payment is being checked")
        visitor.sees("Do not pay again")
        visitor.look("being-checked")
        visitor.run_cron_job()
        visitor.look("cron-job")
        session = visitor.open_latest_order()
        visitor.sees("processed")
        assert visitor.shop.payments(session) == ["paid"]

    def test_a_detour_over_a_provider_ends_at_the_order(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.pick("redirect")
        visitor.pay()
        visitor.arrive_at_order()
        visitor.sees("is paid")


class TestPiggyPay:
    """A provider with a page of its own, over HTTP."""

    @staticmethod
    def arrive(visitor: Visitor) -> None:
        visitor.arrive("example_piggypay")
        visitor.pay()
        visitor.page.wait_for_url("**/piggypay/pay/**")

    def test_an_approved_payment_ends_at_the_order_and_can_be_refunded(self, visitor: Visitor) -> None:
        self.arrive(visitor)
        visitor.sees_heading("Pay €18.00")
        visitor.look("piggypay")
        visitor.press("Approve")
        visitor.arrive_at_order()
        visitor.sees("is paid")
        visitor.open_order()
        visitor.refund("18")
        visitor.sees("€0.00 are left")

    def test_a_declined_payment_leads_back_to_the_shop(self, visitor: Visitor) -> None:
        self.arrive(visitor)
        visitor.press("Decline")
        visitor.sees_heading("Declined")
        visitor.press("Back to the shop")
        visitor.arrive_at_order()
        visitor.sees_heading("The payment failed")
        visitor.look("piggypay-declined")

    def test_a_payment_left_open_is_settled_by_the_late_notification(self, visitor: Visitor) -> None:
        self.arrive(visitor)
        visitor.press("Decide later, and go back to the shop")
        visitor.arrive_at_order()
        visitor.sees("as soon as its payment has arrived")
        visitor.open("/piggypay/")
        visitor.look("piggypay-office")
        # A notification within two seconds of the look-up at the return is put off, and sent again.
        visitor.page.wait_for_timeout(2_500)
        visitor.page.get_by_role("button", name="Approve").first.click()
        expect(visitor.page.locator("main tbody tr").first).to_contain_text("HTTP 204")
        visitor.open_latest_order()
        visitor.sees("Paid", "processed")

    def test_after_a_closed_window_the_notification_settles_all(self, visitor: Visitor) -> None:
        self.arrive(visitor)
        visitor.press("Approve, and close the window before going back")
        visitor.sees_heading("The window is closed")
        visitor.look("piggypay-closed")
        visitor.press("Send the notification now, late as it is")
        expect(visitor.page.locator("main tbody tr").first).to_contain_text("HTTP 204")
        visitor.open_latest_order()
        visitor.sees("Paid", "processed")

    def test_after_a_closed_window_without_notification_the_cron_job_finds_out(
        self, visitor: Visitor
    ) -> None:
        self.arrive(visitor)
        visitor.press("Approve, and close the window before going back")
        visitor.sees_heading("The window is closed")
        visitor.run_cron_job()
        session = visitor.open_latest_order()
        visitor.sees("Paid", "processed")
        assert visitor.shop.payments(session) == ["paid"]

    def test_a_tab_closed_at_the_provider_loses_nothing(
        self, visitor: Visitor, visit: Callable[..., Visitor]
    ) -> None:
        self.arrive(visitor)
        visitor.page.close()
        provider = visit()
        provider.open("/piggypay/")
        provider.page.get_by_role("button", name="Approve").first.click()
        expect(provider.page.locator("main tbody tr").first).to_contain_text("HTTP 204")
        session = provider.open_latest_order()
        provider.sees("Paid", "processed")
        assert provider.shop.payments(session) == ["paid"]


def test_a_bank_transfer_is_marked_as_received_in_the_admin(visitor: Visitor) -> None:
    visitor.arrive("example_transfer")
    visitor.pay()
    visitor.sees("IBAN", "FR76 3000 6000 0112 3456 7890 189")
    visitor.look("transfer")
    visitor.follow("Continue to your order")
    visitor.arrive_at_order()
    visitor.sees("as soon as its payment has arrived", "IBAN")
    visitor.look("transfer-confirmation")
    session = visitor.open_latest_order()

    visitor.open("/")
    visitor.press("Log in without a password")
    visitor.page.locator("#result_list tbody th a").first.click()
    visitor.page.wait_for_url("**/change/**")
    visitor.page.locator("[name=mark_received], [href*=mark_received]").first.click()
    visitor.look("admin-mark-received")
    visitor.page.locator("#content form [type=submit]").first.click()
    expect(visitor.page.locator("ul.messagelist")).to_be_visible()
    visitor.look("admin-received")

    assert visitor.shop.payments(session) == ["paid"]
    visitor.open_latest_order()
    visitor.sees("Paid", "processed")


def test_a_cart_changed_in_another_tab_is_shown_anew_before_anything_is_paid(visitor: Visitor) -> None:
    visitor.arrive("example_dummy")
    other = Visitor(visitor.page.context.new_page(), visitor.shop)
    other.put_into_cart("poster")
    with visitor.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        visitor.pay()
    assert answered.value.status == 409
    visitor.sees("Your order has changed", "Poster", "Pay €30.50")
    visitor.look("changed-cart")
    session = other.open_latest_order()
    assert visitor.shop.payments(session) == []
    visitor.pay()
    visitor.arrive_at_order()
    visitor.sees("is paid", "€30.50")


def test_without_javascript_everything_works(visit: Callable[..., Visitor]) -> None:
    visitor = visit(java_script_enabled=False, viewport={"width": 390, "height": 800}, color_scheme="dark")
    visitor.arrive("example_dummy")
    visitor.pick("failed")
    visitor.pay()
    visitor.sees("The payment was declined")
    visitor.pick("processed")
    visitor.pay()
    visitor.arrive_at_order()
    visitor.sees("is paid")
    visitor.open_order()
    visitor.refund("18")
    visitor.sees("€0.00 are left")


def test_in_french_and_in_the_dark_everything_is_french(visit: Callable[..., Visitor]) -> None:
    visitor = visit(locale="fr-FR", viewport={"width": 390, "height": 800}, color_scheme="dark")
    visitor.open("/")
    visitor.look("fr-shop")
    visitor.put_into_cart("mug")
    visitor.look("fr-cart")
    visitor.go_to_payment()
    visitor.look("fr-payment-step")
    visitor.choose("example_dummy")
    visitor.sees("Tasse", "Payer 18,00\N{NO-BREAK SPACE}€")
    visitor.look("fr-checkout")
    visitor.pay()
    visitor.arrive_at_order()
    visitor.sees_heading("Merci de votre commande")
    visitor.look("fr-confirmation")
    visitor.open_order()
    visitor.page.locator("input[name=amount]").fill("5,50")
    visitor.press("Rembourser")
    visitor.sees("12,50\N{NO-BREAK SPACE}€")
    visitor.look("fr-refund")
    visitor.open("/sandbox/dashboard/faults/")
    visitor.look("fr-faults")
    visitor.open("/sandbox/dashboard/gateway/")
    visitor.look("fr-gateway")


def test_the_keyboard_is_enough(visitor: Visitor) -> None:
    visitor.open("/")
    for selector, where in (
        ("button[name=add][value=mug]", "**/sandbox/"),
        ("button[name=do][value=pay]", "**/sandbox/payment/"),
        ("button[name=method][value=example_dummy]", "**/pay/**"),
        ("form[data-sc-form] button[type=submit]", "**/sandbox/orders/**"),
        ("main a[href*='/dashboard/orders/']", "**/dashboard/orders/**"),
    ):
        visitor.tab_to(selector)
        visitor.page.keyboard.press("Enter")
        visitor.page.wait_for_url(where)
    visitor.tab_to("input[name=amount]")
    visitor.page.keyboard.type("18")
    visitor.page.keyboard.press("Enter")
    visitor.sees("€0.00 are left")


@pytest.mark.parametrize(
    "currency, language, total, part, left",
    [("JPY", "ja", "￥2,900", "900", "¥2,000"), ("KWD", "ar", "5.875", "0.125", "5.750")],
)
def test_the_test_half_pays_in_any_currency_and_language(
    visitor: Visitor, currency: str, language: str, total: str, part: str, left: str
) -> None:
    visitor.put_into_cart("mug")
    visitor.page.locator("select[name=currency]").select_option(currency)
    visitor.page.locator("select[name=language]").select_option(language)
    visitor.page.get_by_text("How Snipcart behaves").click()
    visitor.page.locator("select[name=mode]").select_option("test")
    visitor.go_to_payment()
    visitor.choose("example_dummy")
    expect(visitor.page.locator("html")).to_have_attribute("lang", language)
    expect(visitor.page.get_by_role("banner")).to_contain_text("TEST")
    visitor.sees(total)
    visitor.look(f"{language}-checkout")
    visitor.pay()
    visitor.arrive_at_order()
    visitor.sees("is paid")
    visitor.open_order()
    visitor.refund(part)
    visitor.sees(f"{left} are left")


def test_the_shop_works_under_its_other_name_too(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.shop.url.replace('127.0.0.1', 'localhost')}/sandbox/")
    visitor.page.locator("button[name=add][value=mug]").click()
    visitor.go_to_payment()
    visitor.choose("example_dummy")
    visitor.pay()
    visitor.arrive_at_order()
    visitor.sees("is paid")


def test_the_gallery_shows_each_page_light_and_dark(visit: Callable[..., Visitor]) -> None:
    # Nothing emulated: what a framed page prefers has to follow from the frame.
    visitor = visit(color_scheme="null", viewport={"width": 2000, "height": 1400})
    visitor.open("/gallery/?state=checkout/pay")
    visitor.look("gallery")
    for theme, dark in (("light", False), ("dark", True)):
        for width in ("narrow", "wide"):
            frame = visitor.page.frame_locator(f".{width}.{theme} iframe").first
            expect(frame.get_by_role("heading", level=1)).to_be_visible()
            prefers_dark = "() => matchMedia('(prefers-color-scheme: dark)').matches"
            assert frame.locator("html").evaluate(prefers_dark) is dark


class TestPayingTwice:
    def test_a_double_click_charges_once(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.page.locator("form[data-sc-form] button[type=submit]").dblclick(no_wait_after=True)
        visitor.arrive_at_order()
        visitor.sees("is paid")
        assert visitor.shop.payments(visitor.open_latest_order()) == ["paid"]

    def test_two_tabs_charge_once(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        other = Visitor(visitor.page.context.new_page(), visitor.shop)
        other.page.goto(visitor.page.url)
        for tab in (visitor, other):
            tab.pick("slow")
            tab.page.locator("form[data-sc-form] button[type=submit]").click(no_wait_after=True)
        # Whichever page is read second has been led on already, and stays.
        for tab in (visitor, other):
            expect(tab.page.get_by_role("heading", level=1)).to_have_text(re.compile("Paid|Thank you"))
        assert visitor.shop.payments(visitor.open_latest_order()) == ["paid"]

    def test_going_back_after_paying_leads_to_what_became_of_it(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        checkout = visitor.page.url
        visitor.pay()
        visitor.arrive_at_order()
        visitor.page.goto(checkout)
        visitor.sees_heading("Paid")


class TestTheShopsOwnTouch:
    def test_the_theme_can_be_switched_on_and_off(self, visitor: Visitor) -> None:
        visitor.open("/")
        visitor.arrive("example_dummy")
        expect(visitor.page.get_by_role("contentinfo")).to_contain_text("3 Harbour Lane")
        visitor.look("themed-checkout")
        visitor.open("/")
        visitor.press("Remove the theme")
        visitor.arrive("example_dummy")
        expect(visitor.page.get_by_text("3 Harbour Lane")).to_have_count(0)

    def test_whoever_buys_only_downloads_is_offered_no_transfer(self, visitor: Visitor) -> None:
        visitor.put_into_cart("guide")
        visitor.go_to_payment()
        visitor.sees("Dummy payment")
        expect(visitor.page.locator("button[value=example_transfer]")).to_have_count(0)


class TestFaults:
    def test_a_revoked_key_is_followed_by_the_second_one(self, visitor: Visitor) -> None:
        visitor.switch_on("payment:key-revoked")
        visitor.look("faults")
        visitor.arrive("example_dummy")
        visitor.pay()
        visitor.arrive_at_order()
        visitor.sees("is paid")
        visitor.open_order()
        visitor.sees("The key has been revoked.", "The shop sent a confirmation: “processed”.")
        visitor.look("revoked-key")

    def test_a_cut_while_the_order_is_read_takes_no_money(self, visitor: Visitor) -> None:
        visitor.switch_on("payment-session:503")
        visitor.put_into_cart()
        visitor.go_to_payment()
        visitor.page.locator("button[name=method][value=example_dummy]").click()
        visitor.sees_heading("Your order cannot be opened at the moment")
        visitor.sees("No money was taken.")
        visitor.look("snipcart-is-down")
        visitor.page.reload()
        visitor.sees("Pay €18.00")

    def test_a_refund_that_is_sent_twice_goes_back_once(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        visitor.pay()
        visitor.arrive_at_order()
        visitor.switch_on("refund:sent-twice")
        visitor.open_latest_order()
        visitor.refund("5")
        visitor.sees("€13.00 are left", "The request is sent twice")
        visitor.open("/")
        expect(visitor.page.locator("#till ~ .scroll tbody tr").first).to_contain_text("€5.00")

    def test_an_expired_session_leads_back_to_the_shop(self, visitor: Visitor) -> None:
        visitor.arrive("example_dummy")
        checkout = visitor.page.url
        visitor.open_latest_order()
        visitor.press("Let the session expire")
        visitor.page.goto(checkout)
        visitor.sees_heading("This payment link is no longer valid")
        visitor.look("expired-session")
        visitor.put_into_cart()
        visitor.go_to_payment()
        visitor.choose("example_dummy")
        visitor.sees("Pay €36.00")
