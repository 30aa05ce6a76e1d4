"""Language, titles, landmarks, the skip link, axe, and the page without its stylesheet (points 1 to 6)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from snipcart_checkout.models import Payment
from tests.support.barriers import barriers, barriers_of_colour
from tests.support.browser_site import STATES, Browse, Site, press_pay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TITLES = {
    "checkout": "Pay for your order",
    "choice": "Choose a payment method",
    "form": "Pay for your order",
    "form-errors": "Error: Pay for your order",
    "declined": "Error: Pay for your order",
    "changed": "Error: Pay for your order",
    "limit": "Error: Pay for your order",
    "no-token": "Error: Please open this page from your cart",
    "expired": "Error: This payment link is no longer valid",
    "not-found": "Error: Page not found",
    "wrong-method": "Error: This order cannot be paid this way",
    "unavailable": "Error: Your order cannot be opened at the moment",
    "pending": "Your payment is being checked",
    "detour": "Your payment is being checked",
    "instructions": "Your order is awaiting payment",
    "waiting": "Your payment is on its way",
    "done": "Paid",
    "refused": "Error: Declined",
    "abandoned": "Error: The payment was not completed",
    "review": "The shop is reviewing your payment",
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_three_languages_light_and_dark(site: Site, browse: Browse, state: str) -> None:
    page = browse()
    found = {}

    for language in ("en", "fr", "ar"):
        site.reset()
        STATES[state](site, page, language)
        page.emulate_media(color_scheme="light")
        found[language, "light"] = barriers(page)
        page.emulate_media(color_scheme="dark")
        found[language, "dark"] = barriers_of_colour(page)

    assert {where: what for where, what in found.items() if what} == {}
    assert len(found) == 6


def test_axe_would_find_something(browse: Browse) -> None:
    page = browse()
    page.set_content(
        "<html><title>x</title><body><h1>x</h1><main><input><p style='color:#ccc'>pale</p></main>"
    )

    assert {"color-contrast", "html-has-lang", "label"} <= rules(barriers(page))


def test_axe_would_find_something_in_the_dark(browse: Browse) -> None:
    page = browse()
    page.set_content(
        "<html lang=en><title>x</title><style>@media (prefers-color-scheme: dark) {p {color: #ccc}}</style>"
        "<body><main><h1>x</h1><p>pale</p></main>"
    )

    assert barriers(page) == []
    page.emulate_media(color_scheme="dark")
    assert rules(barriers_of_colour(page)) == {"color-contrast"}


def rules(found: list[str]) -> set[str]:
    return {one.split(":")[0] for one in found}


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_title_one_h1_headings_in_order_and_three_landmarks(
    site: Site, browse: Browse, state: str
) -> None:
    page = browse()
    STATES[state](site, page, "en")
    assert page.title() == f"{TITLES[state]} – shop.example"
    levels = page.eval_on_selector_all("h1, h2, h3, h4, h5, h6", "all => all.map(h => +h.tagName[1])")

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1


@pytest.mark.parametrize(
    "cart, lang, direction",
    [("en", "en", "ltr"), ("fr-CA", "fr-CA", "ltr"), ("ar", "ar", "rtl"), ("he", "he", "rtl"),
     ("zh-hk", "zh-Hant-HK", "ltr"), ("no", "nb", "ltr"), ("xx", "en", "ltr")],
)  # fmt: skip
def test_the_page_says_its_language_and_direction(
    site: Site, browse: Browse, cart: str, lang: str, direction: str
) -> None:
    page = browse()
    STATES["checkout"](site, page, cart)

    html = page.locator("html")
    assert (html.get_attribute("lang"), html.get_attribute("dir")) == (lang, direction)


def test_parts_in_another_language_say_so(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["instructions"](site, page, "en")
    page.goto(f"{page.url}?language=fr")

    assert page.locator("html").get_attribute("lang") == "fr"
    assert page.locator(".sc-instructions [lang]").get_attribute("lang") == "en"
    assert page.get_by_role("button", name="Deutsch", include_hidden=True).get_attribute("lang") == "de"


def test_the_skip_link_is_first_seen_on_focus_and_leads_to_the_content(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")
    skip = page.get_by_role("link", name="Skip to the content")
    assert not in_view(skip)

    page.keyboard.press("Tab")
    assert skip.evaluate("link => link === document.activeElement")
    assert in_view(skip)
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def in_view(locator: Any) -> bool:
    box = locator.bounding_box()
    return bool(box and box["y"] >= 0)


def test_without_a_stylesheet_the_order_reads_sensibly_and_can_be_paid(site: Site, browse: Browse) -> None:
    page = browse(java_script_enabled=False)
    page.context.route("**/*.css", lambda route: route.abort())
    STATES["checkout"](site, page, "en")
    text = page.locator("body").inner_text()

    parts = ["shop.example", "Back to the cart", "Pay for your order", "Paper lantern, large", "VAT 20 %", "Total",
             "Credit card", "Pay €90.12", "ada@example.org", "Order reference", "Questions"]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "One moment" not in text
    press_pay(page)
    assert Payment.objects.get().state == "paid"
