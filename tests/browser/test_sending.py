"""Paying once, whatever the finger, the network and the browser do (points 33 to 38)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, Route, expect
from pytest_playwright.pytest_playwright import CreateContextCallback

from snipcart_checkout.models import Payment
from tests.browser.test_methods import FORM, SCRIPTED, fill_in
from tests.support.browser_site import SHOP, STATES, Browse, Site, press_pay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def click_twice(page: Page) -> None:
    page.locator(".sc-form button").dblclick(no_wait_after=True)


def press_enter_twice(page: Page) -> None:
    page.locator(".sc-form button").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")


@pytest.mark.parametrize("press", [click_twice, press_enter_twice])
@pytest.mark.parametrize("scripting", [True, False])
def test_two_presses_are_one_payment(
    site: Site, browse: Browse, press: Callable[[Page], None], scripting: bool
) -> None:
    page = browse(java_script_enabled=scripting)
    page.goto(site.checkout(site.session()))

    press(page)
    page.wait_for_url("**/payments/**")

    assert Payment.objects.count() == len(site.provider.captures) == 1


def test_back_and_once_more_is_one_payment(site: Site, browse: Browse) -> None:
    page = browse()
    session = site.session()
    page.goto(site.checkout(session))
    form = page.content()
    press_pay(page)
    page.wait_for_url(f"{SHOP}/**")

    # As a browser does that kept the page: the same form, sent again.
    page.route(re.compile("publicToken"), lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto(site.checkout(session))
    press_pay(page)

    assert "/payments/" in page.url
    assert Payment.objects.count() == len(site.provider.captures) == 1


def hang(page: Page) -> None:
    """Let what the form sends hang for ever, as the page sees it."""
    page.evaluate(
        "document.querySelector('.sc-form').addEventListener('submit', event => event.preventDefault())"
    )


def stop_the_clock(page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(1)


def test_while_it_is_sent_the_button_says_so_and_keeps_its_width(site: Site, browse: Browse) -> None:
    page = browse()
    page.goto(site.checkout(site.session()))
    button = page.locator(".sc-form button")
    width = button.bounding_box()
    assert page.get_by_role("status").inner_text() == ""
    hang(page)

    button.click(no_wait_after=True)

    expect(button).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("status")).to_contain_text("Your payment is being processed")
    expect(page.get_by_role("button", name="One moment")).to_be_visible()
    expect(page.locator(".sc-ready")).not_to_be_visible()
    assert button.bounding_box() == width


def test_while_it_is_sent_a_second_press_sends_nothing(site: Site, browse: Browse) -> None:
    page = browse()
    page.goto(site.checkout(site.session()))
    page.evaluate(
        "window.sent = 0; document.querySelector('.sc-form').addEventListener('submit', event => {"
        " sent += !event.defaultPrevented; event.preventDefault() })"
    )

    click_twice(page)
    press_enter_twice(page)

    assert page.evaluate("sent") == 1


def test_after_a_network_that_failed_the_page_can_pay_again(site: Site, browse: Browse) -> None:
    page = browse()
    page.goto(site.checkout(site.session()))
    page.route("**/*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.locator(".sc-form button").click(no_wait_after=True)
    expect(page).to_have_url(re.compile("^chrome-error:"), timeout=60_000)

    page.unroute("**/*")
    page.go_back()

    expect(page.locator(".sc-form button")).not_to_have_attribute("aria-disabled", "true")
    press_pay(page)
    assert Payment.objects.get().state == "paid"


def test_a_page_out_of_the_back_forward_cache_is_not_busy(site: Site, browse: Browse) -> None:
    page = browse()
    page.goto(site.checkout(site.session()))
    hang(page)
    page.locator(".sc-form button").click(no_wait_after=True)
    expect(page.locator(".sc-form button")).to_have_attribute("aria-disabled", "true")

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")

    expect(page.locator(".sc-form button")).not_to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("status")).to_be_empty()


def test_a_request_that_hangs_does_not_lock_the_page(site: Site, browse: Browse) -> None:
    page = browse()
    stop_the_clock(page)
    page.goto(site.checkout(site.session()))
    hang(page)
    page.locator(".sc-form button").click(no_wait_after=True)
    expect(page.locator(".sc-form button")).to_have_attribute("aria-disabled", "true")

    page.clock.run_for(31_000)

    expect(page.locator(".sc-form button")).not_to_have_attribute("aria-disabled", "true")


def test_without_javascript_the_whole_way_works(site: Site, browse: Browse) -> None:
    site.use(SCRIPTED, FORM)
    site.provider.script(charge="declined", code="expired")
    page = browse(java_script_enabled=False)
    page.goto(site.checkout(site.session(), method=""))
    page.get_by_role("link", name="Bank transfer").click()
    press_pay(page)
    expect(page.get_by_role("alert")).to_contain_text("Please correct")
    fill_in(page)
    press_pay(page)
    expect(page.get_by_role("alert")).to_contain_text("Your card has expired")

    site.provider.script()
    press_pay(page)
    page.wait_for_url(f"{SHOP}/**")

    assert Payment.objects.filter(state="paid").count() == 1


@pytest.mark.parametrize("mode", ["Content-Security-Policy", "Content-Security-Policy-Report-Only"])
@pytest.mark.parametrize("way, place", [("redirect", "provider.example"), ("paid", "shop.example")])
def test_the_policy_lets_the_shopper_leave_for_the_provider_and_the_shop(
    site: Site, browse: Browse, way: str, place: str, mode: str
) -> None:
    def change_mode(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        headers = {**answer.headers, mode.lower(): answer.headers["content-security-policy"]}
        if mode.endswith("Only"):
            del headers["content-security-policy"]
        route.fulfill(response=answer, headers=headers)

    page = browse()
    page.route(f"{site.url}/checkout/**", change_mode)
    site.provider.script(charge=way)
    page.goto(site.checkout(site.session()))
    press_pay(page)

    page.wait_for_url(f"https://{place}/**")


def test_the_answer_to_the_form_is_a_303_to_our_own_page(site: Site, browse: Browse) -> None:
    page = browse()
    site.provider.script(charge="redirect")
    page.goto(site.checkout(site.session()))

    with page.expect_response(lambda answer: answer.request.method == "POST") as posted:
        page.locator(".sc-form button").click(no_wait_after=True)

    assert posted.value.status == 303
    assert posted.value.headers["location"].startswith("/checkout/payments/")


class Looks:
    """The script's looks for news, answered with what the page shows already, on a clock that stands still."""

    def __init__(self, page: Page) -> None:
        self.page, self.content, self.count = page, page.content(), 0
        page.route("**/payments/**", self._answer)

    def _answer(self, route: Route) -> None:
        if route.request.resource_type == "fetch":
            self.count += 1
            route.fulfill(body=self.content, content_type="text/html")
        else:
            route.continue_()

    def wait(self, seconds: int) -> None:
        self.page.clock.run_for(seconds * 1000)

    def seconds_to_the_next(self) -> int:
        """At least so many: the page may need a while to read the last answer."""
        before, seconds, patience = self.count, 0, time.monotonic() + 60
        while self.count == before:
            assert time.monotonic() < patience, "the page does not look any more"
            self.wait(1)
            seconds += 1
        return seconds


def test_a_waiting_page_looks_for_news_politely_and_not_for_ever(site: Site, browse: Browse) -> None:
    page = browse()
    stop_the_clock(page)
    STATES["pending"](site, page, "en")
    looks = Looks(page)

    gaps = [looks.seconds_to_the_next() for _ in range(25)]
    for _ in range(100):  # each time the page has a moment to read an answer, and then to look again
        looks.wait(36)

    assert gaps[0] >= 2
    # Together, because a look that this process hears of late makes the next gap shorter.
    assert sum(gaps[-10:]) >= 290
    assert looks.count == 25


def test_a_page_that_nobody_sees_asks_nothing(site: Site, browse: Browse) -> None:
    page = browse()
    stop_the_clock(page)
    STATES["pending"](site, page, "en")
    looks = Looks(page)
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})")

    looks.wait(600)
    assert looks.count == 0
    page.evaluate("delete document.visibilityState")

    assert looks.seconds_to_the_next()


def test_a_waiting_page_may_be_closed_and_has_reference_and_date(site: Site, browse: Browse) -> None:
    page = browse()
    payment = site.payment("charging")
    page.goto(site.status(payment))
    text = page.locator("main").inner_text()

    assert "You can close this page" in text
    assert str(payment.reference) in text
    assert str(payment.created_at.year) in text


def test_an_old_payment_is_not_watched_any_more(site: Site, browse: Browse) -> None:
    page = browse()
    page.goto(site.status(site.payment("charging", created_at=in_2020())))

    assert page.locator("[data-sc-poll]").count() == 0
    assert "http-equiv" not in page.content()


def in_2020() -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC)


def test_a_changed_order_is_shown_anew_asks_to_confirm_and_keeps_what_was_typed(
    site: Site, browse: Browse
) -> None:
    site.use(FORM)
    page = browse()
    session = site.session()
    page.goto(site.checkout(session))
    fill_in(page)
    site.snipcart.change(session, amount="99.12")
    press_pay(page)

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Your order has changed")
    expect(page.get_by_role("alert")).to_contain_text("Nothing has been paid")
    expect(page.get_by_label("Account holder")).to_have_value("Ada Byron")
    expect(page.get_by_label("Bank of the South")).to_be_checked()
    assert Payment.objects.count() == 0
    page.get_by_role("button", name="Pay €99.12").click()
    page.wait_for_url(f"{SHOP}/**")

    assert Payment.objects.get().minor_units == 9912


def test_a_script_that_was_tampered_with_is_refused_and_the_page_pays_without_it(
    site: Site, new_context: CreateContextCallback
) -> None:
    page = new_context().new_page()
    page.route(
        "**/checkout.js",
        lambda route: route.fulfill(content_type="text/javascript", body="document.title = 'stolen'"),
    )
    refusals: list[str] = []
    page.on("console", lambda message: refusals.append(message.text))
    page.goto(site.checkout(site.session()))
    page.wait_for_load_state("networkidle")

    assert page.title() == "Pay for your order – shop.example"
    assert any("integrity" in refusal for refusal in refusals)
    press_pay(page)
    assert Payment.objects.get().state == "paid"
