"""Room, contrast, focus and calm, from 320 pixels to 4K (points 13 to 20)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page

from snipcart_checkout.testing import Address, Line
from tests.support.browser_site import STATES, Browse, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TELEPHONE = {"width": 320, "height": 640}
SPACING = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }"
# A text may stick out of a box that hides what does.
CLIPPED = """all => all.filter(one => {
  const style = getComputedStyle(one), hides = style.overflowX === "hidden" || style.overflowY === "hidden";
  return hides && !one.matches(".sc-hidden") && (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight);
}).map(one => one.outerHTML)"""


def spill(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    return int(page.evaluate("document.scrollingElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize(
    "state, language",
    [
        *((state, "en") for state in STATES),
        *((state, "ar") for state in ("form-errors", "declined", "instructions")),
    ],
)
def test_nothing_spills_at_320_pixels_even_with_wide_letters(
    site: Site, browse: Browse, state: str, language: str
) -> None:
    page = browse(viewport=TELEPHONE, bypass_csp=True)
    STATES[state](site, page, language)
    assert spill(page) <= 0

    page.add_style_tag(content=SPACING)

    assert spill(page) <= 0
    assert page.eval_on_selector_all("body *", CLIPPED) == []


@pytest.mark.parametrize("width", [320, 375, 900, 3840])
def test_hostile_names_and_enormous_amounts_do_not_spill(site: Site, browse: Browse, width: int) -> None:
    long = "Donaudampfschifffahrtsgesellschaftskapitänswitwe" * 2
    lines = [
        Line(name="W" * 120, unit_price=Decimal("19999999.50"), quantity=1200),
        Line(name="\u202eevil אבג <b>x</b>", unit_price=Decimal("1.00")),
        Line(name="", unit_price=Decimal("0.001"), quantity=3),
    ]
    home = Address(name=long, surname="O’Neill", street=long, postal_code="75005", city=long, country="TH")
    page = browse(viewport={"width": width, "height": 900})

    page.goto(
        site.checkout(
            site.session(amount="23999999401.00", items=lines, billing=home, email=f"{long}@b.example")
        )
    )

    assert spill(page) <= 0
    if width < 900:
        page.locator(".sc-fold summary").click()
        assert spill(page) <= 0
    # A name that has no room is broken over lines, not into a column of single letters.
    assert page.locator("tbody th").first.evaluate("cell => cell.clientWidth") >= (32 if width == 320 else 64)
    assert page.locator("tbody th").last.inner_text() == "3 × Item\n€0.001 each"


@pytest.mark.parametrize(
    "state", ["checkout", "choice", "form-errors", "declined", "instructions", "expired"]
)
def test_every_target_is_large_enough_for_a_finger(site: Site, browse: Browse, state: str) -> None:
    page = browse(viewport=TELEPHONE)
    STATES[state](site, page, "en")
    for language_menu in page.locator(".sc-langs summary").all():
        language_menu.click()

    small = page.eval_on_selector_all(
        "a:not(.sc-skip), button, input:not([type=hidden]), select, textarea, summary",
        "all => all.filter(one => { const box = one.getBoundingClientRect(); return box.width < 24 || box.height < 24; }).map(one => one.outerHTML)",
    )

    assert small == []
    for button in page.locator(".sc-button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44


@pytest.mark.parametrize("state", ["checkout", "choice", "declined", "instructions", "refused", "expired"])
def test_what_stands_alone_can_be_pressed_with_a_thumb(site: Site, browse: Browse, state: str) -> None:
    site.checkout_settings.store(BRAND={"CONTACT": "mailto:hello@shop.example"})
    page = browse(viewport={"width": 390, "height": 844})
    STATES[state](site, page, "en")

    # Links in a sentence are as high as their line.
    alone = page.eval_on_selector_all(
        "a:not(.sc-skip), button:not(.sc-langs button), summary",
        "all => all.filter(one => one.offsetParent && !one.closest('.sc-foot')).map(one => [one.innerText, one.getBoundingClientRect().height])",
    )

    assert alone
    assert [(words, height) for words, height in alone if height < 44] == []


def test_billing_and_delivery_stand_side_by_side(site: Site, browse: Browse) -> None:
    home = Address(name="Ada", street="12 rue des Écoles", postal_code="75005", city="Paris", country="FR")
    shop = Address(name="Charles", street="1 Dorset St", postal_code="W1U", city="London", country="GB")
    page = browse()
    page.goto(site.checkout(site.session(email="ada@shop.example", billing=home, shipping=shop)))

    email, billing, delivery = tops(page, *(f".sc-people .sc-details > :nth-child({n})" for n in (1, 2, 3)))

    assert email[1] < billing[1] == delivery[1]
    assert billing[0] < delivery[0]


def test_forced_colours_keep_focus_and_borders(site: Site, browse: Browse) -> None:
    page = browse(forced_colors="active")
    STATES["form-errors"](site, page, "en")
    page.keyboard.press("Tab")

    for border in (".sc-button", ".sc-summary", ".sc-alert", "#id_holder", ".sc-method"):
        assert page.locator(border).first.evaluate("one => getComputedStyle(one).borderTopStyle") == "solid"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_page_offers_light_and_dark(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 500}, {"width": 320, "height": 480}])
@pytest.mark.parametrize("state", ["form-errors", "declined", "instructions"])
def test_wherever_the_tab_key_leads_the_focus_is_seen(
    site: Site, browse: Browse, state: str, viewport: dict[str, int]
) -> None:
    page = browse(viewport=viewport)
    STATES[state](site, page, "en")
    walked: list[Any] = []

    for _ in range(60):
        page.keyboard.press("Tab")
        where = page.evaluate(
            """() => {
              const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
              if (one === document.body) return null;
              const top = document.elementFromPoint(box.x + box.width / 2, Math.min(box.y + box.height / 2, innerHeight - 1));
              return {html: one.outerHTML.slice(0, 80), ring: style.outlineStyle, width: parseFloat(style.outlineWidth),
                      seen: !!top && (one.contains(top) || top.contains(one) && !top.matches("body, html"))};
            }"""
        )
        if where is None:
            break
        walked.append(where)

    assert len(walked) >= 3
    assert [
        where for where in walked if where["ring"] == "none" or where["width"] < 2 or not where["seen"]
    ] == []


def tops(page: Page, *selectors: str) -> list[tuple[float, float]]:
    boxes = [page.locator(selector).first.bounding_box() for selector in selectors]
    return [(box["x"], box["y"]) for box in boxes if box]


@pytest.mark.parametrize("width, columns", [(320, 1), (899, 1), (900, 2), (3840, 2)])
def test_order_method_and_button_follow_each_other_and_stand_side_by_side_where_there_is_room(
    site: Site, browse: Browse, width: int, columns: int
) -> None:
    page = browse(viewport={"width": width, "height": 900})
    STATES["form"](site, page, "en")
    summary, method, button = tops(page, ".sc-summary", ".sc-method", ".sc-form > button")

    assert method[1] < button[1]
    assert (summary[1] < method[1] and summary[0] <= method[0]) if columns == 1 else summary[0] < method[0]
    assert (abs(summary[1] - tops(page, ".sc-pay")[0][1]) < 1) is (columns == 2)


MOVED = """
window.moved = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) moved += one.value })
  .observe({type: "layout-shift", buffered: true});
"""
# A browser that was kept waiting in the middle of a line moves its half by some pixels, which is 0.001 at most.
SOME_PIXELS = 0.005


@pytest.mark.parametrize("state", ["checkout", "declined", "pending", "expired"])
def test_nothing_moves_while_the_page_loads(site: Site, browse: Browse, state: str) -> None:
    page = browse(viewport={"width": 375, "height": 800})
    page.add_init_script(MOVED)
    STATES[state](site, page, "en")
    page.wait_for_load_state("networkidle")

    assert page.evaluate("moved") < SOME_PIXELS


def test_a_line_that_came_late_would_be_noticed(site: Site, browse: Browse) -> None:
    page = browse(viewport={"width": 375, "height": 800})
    page.add_init_script(MOVED)
    STATES["checkout"](site, page, "en")
    page.evaluate("document.querySelector('main').prepend('A line.')")
    page.wait_for_timeout(500)

    assert page.evaluate("moved") > SOME_PIXELS


@pytest.mark.parametrize("width", [375, 1280])
def test_opening_the_languages_does_not_move_what_opens_them(site: Site, browse: Browse, width: int) -> None:
    page = browse(viewport={"width": width, "height": 800})
    STATES["checkout"](site, page, "en")
    languages = page.get_by_role("form", name="Language")
    summary = languages.locator("summary")
    before = summary.bounding_box()
    assert languages.get_by_role("button").count() == 0

    summary.click()

    assert summary.bounding_box() == before
    assert languages.get_by_role("button").count() == 19


def test_icons_keep_their_place_before_they_arrive(site: Site, browse: Browse) -> None:
    site.use(
        "tests.support.backends.ScriptedBackend",
        "tests.support.backends.ScriptedBackend",
        ICON="https://icons.example/card.svg",
    )
    page = browse()
    page.goto(site.checkout(site.session()))

    icons = page.locator(".sc-icons img").all()
    assert len(icons) == 2
    for icon in icons:
        assert (icon.get_attribute("width"), icon.get_attribute("height")) == ("40", "26")
        assert icon.evaluate("img => img.naturalWidth") > 0


@pytest.mark.parametrize("motion, moving", [("reduce", 0), ("no-preference", 1)])
def test_nothing_moves_for_those_who_asked_for_calm(
    site: Site, browse: Browse, motion: str, moving: int
) -> None:
    page = browse(reduced_motion=motion)
    STATES["pending"](site, page, "en")

    assert page.evaluate("document.getAnimations().length") == moving
