"""What is paid, as the shopper sees and hears it (points 7 to 12)."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page

from snipcart_checkout.testing import Line
from tests.support.browser_site import BACK_URL, STATES, TOTAL, Browse, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NARROW = {"width": 375, "height": 800}


def amounts(page: Page, cells: str) -> list[Decimal]:
    return [
        Decimal(re.sub("[^0-9.-]", "", text.replace("−", "-")))
        for text in page.locator(cells).all_inner_texts()
    ]


def test_the_lines_shown_sum_to_the_total(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")

    assert sum(amounts(page, "tbody td")) == Decimal(TOTAL) == amounts(page, "tfoot td")[0]
    assert "not itemised" not in page.locator("main").inner_text()
    text = page.locator(".sc-items").inner_text()
    for part in ("2 × Paper lantern, large", "€19.50 each", "Discount", "Delivery", "Tax"):
        assert part in text


def test_lines_that_do_not_sum_to_the_total_are_said_not_to(site: Site, browse: Browse) -> None:
    page = browse()
    lines = [Line(name="Lamp", unit_price=Decimal("10.00"))]
    page.goto(site.checkout(site.session(amount="12.50", items=lines)))

    assert amounts(page, "tfoot td") == [Decimal("12.50")]
    assert "Some charges are not itemised" in page.locator("main").inner_text()


@pytest.mark.parametrize(
    "language, words", [("en", "Pay €90.12"), ("fr", "Payer 90,12 €"), ("fr-CA", "Payer 90,12 €")]
)
def test_the_button_says_how_much_it_pays(site: Site, browse: Browse, language: str, words: str) -> None:
    page = browse()
    STATES["checkout"](site, page, language)

    assert (
        page.locator(".sc-form .sc-ready").inner_text().replace("\u00a0", " ").replace("\u202f", " ") == words
    )


def test_a_long_order_is_folded_on_a_telephone_with_count_and_total_in_sight(
    site: Site, browse: Browse
) -> None:
    page = browse(viewport=NARROW)
    page.goto(site.checkout(site.session(amount="600.00", items=60)))
    fold = page.locator(".sc-fold summary")

    assert fold.inner_text().split() == ["60", "items", "·", "€600.00"]
    assert not page.get_by_text("Product 60").is_visible()
    fold.click()
    assert page.get_by_text("Product 60").is_visible()


@pytest.mark.parametrize("scripting", [True, False])
def test_a_long_order_is_open_on_a_wide_screen(site: Site, browse: Browse, scripting: bool) -> None:
    page = browse(java_script_enabled=scripting)
    page.goto(site.checkout(site.session(amount="600.00", items=60)))

    assert page.get_by_text("Product 60").is_visible()


def test_address_and_mail_are_shown_with_a_link_to_change_them_in_the_cart(
    site: Site, browse: Browse
) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")

    details = page.locator(".sc-details").inner_text()
    assert "ada@example.org" in details
    assert "Ada Byron\n1 rue des Écoles\n75005 Paris\nFrance" in details
    assert page.get_by_role("link", name="Change this in the cart").get_attribute("href") == BACK_URL


def test_a_screen_reader_hears_a_table_with_row_headers(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")
    heard = page.get_by_role("table", name="Your order").aria_snapshot()

    for part in (
        'columnheader "Item"',
        'row "2 × Paper lantern, large €19.50 each €39.00"',
        'rowheader "2 × Paper lantern, large €19.50 each"',
        'row "LANTERN10 Discount −€7.80"',
        'row "Total €90.12"',
    ):
        assert part in heard


def test_the_order_reference_is_selected_as_a_whole_with_one_click(site: Site, browse: Browse) -> None:
    page = browse()
    session = site.session()
    page.goto(site.checkout(session))

    page.locator(".sc-reference").click()

    assert page.evaluate("getSelection().toString().trim()") == session.invoice.target_id
