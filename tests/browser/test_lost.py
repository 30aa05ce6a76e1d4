"""Shoppers whose link is of no use, who have paid already, or who want to go back (points 39 to 42)."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from snipcart_checkout.models import Payment
from tests.support.browser_site import BACK_URL, SHOP, STATES, Browse, Site, press_pay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    "query, status, words",
    [
        ("", 400, "does not say which order"),
        ("?publicToken=%3Cx%3E", 400, "missing or was changed"),
        ("?publicToken=used", 410, "has expired, has been used already, or belongs to another shop"),
    ],
)
def test_a_link_of_no_use_has_a_page_with_words_and_a_way_to_the_shop(
    site: Site, browse: Browse, query: str, status: int, words: str
) -> None:
    page = browse()
    answer = page.goto(f"{site.url}/checkout/{query}")

    assert answer is not None
    assert answer.status == status
    assert answer.headers["x-robots-tag"] == "noindex"
    text = page.locator("main").inner_text()
    assert words in text
    assert "No money was taken" in text
    assert "Traceback" not in page.content()
    page.get_by_role("link", name="Back to the shop").click()
    page.wait_for_url(f"{SHOP}/**")


@pytest.mark.parametrize("scripting", [True, False])
def test_a_page_that_could_not_be_opened_is_tried_again_with_one_press(
    site: Site, browse: Browse, scripting: bool
) -> None:
    page = browse(java_script_enabled=scripting)
    STATES["unavailable"](site, page, "en")
    site.snipcart.recover()
    assert "publicToken" not in page.content()

    page.get_by_role("link", name="Try again").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Pay for your order")


def test_a_payment_that_could_not_be_sent_is_not_said_to_be_tried_again_by_a_link(
    site: Site, browse: Browse
) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")
    site.snipcart.fail("payment-session", 500, times=None)
    press_pay(page)

    expect(page.get_by_role("heading", level=1)).to_have_text("Your order cannot be opened at the moment")
    assert page.get_by_role("link", name="Try again").count() == 0
    expect(page.get_by_role("link", name="Back to the shop")).to_be_visible()


@pytest.mark.parametrize("kind", ["expired", "foreign"])
def test_an_expired_or_foreign_order_is_refused_with_a_way_to_our_shop(
    site: Site, browse: Browse, kind: str
) -> None:
    page = browse()
    session = site.session(cart_url="https://elsewhere.example/" if kind == "foreign" else None)
    if kind == "expired":
        site.snipcart.expire(session)

    answer = page.goto(site.checkout(session))

    assert answer is not None
    assert answer.status == 410
    assert "elsewhere" not in page.content()
    assert session.public_token not in page.content()
    expect(page.get_by_role("link", name="Back to the shop")).to_have_attribute("href", SHOP)


def test_with_several_shops_a_lost_shopper_is_sent_to_none_of_them(site: Site, browse: Browse) -> None:
    site.checkout_settings.store("other", like="live", SHOP_HOSTS=["other.example"])
    page = browse()

    page.goto(f"{site.url}/checkout/payments/00000000-0000-4000-8000-000000000000/")
    assert page.get_by_role("link", name="Back to the shop").count() == 0
    page.goto(f"{site.url}/checkout/other/?publicToken=used")
    expect(page.get_by_role("link", name="Back to the shop")).to_have_attribute(
        "href", "https://other.example"
    )


def test_an_order_that_is_paid_shows_that_and_the_way_on_and_no_button_to_pay(
    site: Site, browse: Browse
) -> None:
    page = browse()
    session = site.session()
    page.goto(site.checkout(session))
    press_pay(page)
    page.wait_for_url(f"{SHOP}/**")

    page.goto(site.checkout(session))

    expect(page.get_by_role("heading", level=1)).to_have_text("Paid")
    expect(page.get_by_role("link", name="Continue to your order")).to_have_attribute(
        "href", Payment.objects.get().order_url
    )
    assert page.get_by_role("button", name="Pay").count() == 0


def test_the_page_sets_the_shopper_no_time(site: Site, browse: Browse) -> None:
    page = browse()
    page.clock.install(time=0)
    page.clock.pause_at(1)
    STATES["checkout"](site, page, "en")
    before = page.locator("body").inner_text()

    page.clock.run_for(24 * 3600 * 1000)

    assert page.locator("body").inner_text() == before
    assert page.get_by_role("timer").count() == 0
    assert "refresh" not in page.content()


@pytest.mark.parametrize("state", ["checkout", "choice", "form-errors", "declined", "changed", "limit"])
def test_the_way_back_to_the_cart_is_a_link_that_is_always_seen_and_costs_nothing(
    site: Site, browse: Browse, state: str
) -> None:
    page = browse(viewport={"width": 320, "height": 640})
    STATES[state](site, page, "en")
    payments = Payment.objects.count()
    back = page.get_by_role("banner").get_by_role("link", name="Back to the cart")

    expect(back).to_be_in_viewport()
    expect(back).to_have_attribute("href", BACK_URL)
    back.click()
    page.wait_for_url(f"{SHOP}/**")

    assert Payment.objects.count() == payments
    assert not Payment.objects.exclude(state="declined").exists()
    assert site.snipcart.confirmations == []
