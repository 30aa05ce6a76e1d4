"""Language, numbers, paper, and who it is that asks for the money (points 43 to 46)."""

from __future__ import annotations

import io
import re
from decimal import Decimal

import pypdf
import pytest
from playwright.sync_api import Page, expect

from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.languages import LANGUAGES
from snipcart_checkout.testing import Line
from tests.support.browser_site import BACK_URL, STATES, Browse, Site, press_pay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_switching_the_language_keeps_the_order_and_lasts_until_it_is_paid(
    site: Site, browse: Browse
) -> None:
    site.use(*["tests.support.backends.ScriptedBackend"] * 2)
    page = browse()
    session = site.session(language="en")
    page.goto(site.checkout(session, method=""))

    page.locator(".sc-langs summary").click()
    page.get_by_role("button", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator(".sc-langs [aria-current=true]")).to_have_text("Français")
    page.get_by_role("link", name="Virement bancaire").click()
    assert session.public_token in page.url
    expect(page.locator(".sc-form .sc-ready")).to_have_text(re.compile(r"Payer 90,12.€"))
    site.provider.script(charge="declined", code="expired")
    press_pay(page)
    expect(page.get_by_role("alert")).to_contain_text("Votre carte a expiré")
    site.provider.script(charge="pending")
    with page.expect_request(lambda request: "/payments/" in request.url and "language=fr" in request.url):
        press_pay(page)

    assert Payment.objects.filter(language="en", state="pending").count() == 1


def test_every_language_is_offered_under_its_own_name_and_speaks_for_itself(
    site: Site, browse: Browse
) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")
    headlines = set()

    for name in LANGUAGES.values():
        page.locator(".sc-langs summary").click()
        choice = page.get_by_role("button", name=name, exact=True)
        tag = choice.get_attribute("lang")
        choice.click()
        expect(page.locator("html")).to_have_attribute("lang", str(tag))
        expect(page.locator(".sc-langs [aria-current=true]")).to_have_text(name)
        headlines.add(page.locator("h1").inner_text())

    assert len(headlines) == len(LANGUAGES)


def test_a_language_that_nobody_speaks_is_the_sites_own(site: Site, browse: Browse) -> None:
    site.settings.LANGUAGE_CODE = "fr"
    page = browse()
    STATES["checkout"](site, page, "xx")

    expect(page.locator("html")).to_have_attribute("lang", "fr")


@pytest.mark.parametrize(
    "language, currency, amount, shown",
    [
        ("fr-CA", "CAD", "10.00", "10,00\u00a0\\$"),
        ("fr", "CAD", "10.00", "10,00\u00a0\\$CA"),
        ("ja", "JPY", "1500", "￥1,500"),
        ("en", "KWD", "1.250", "KWD\u00a0?1\\.250"),
        ("de", "EUR", "1234.50", "1\\.234,50\u00a0€"),
    ],
)
def test_amounts_are_written_as_the_carts_language_writes_them(
    site: Site, browse: Browse, language: str, currency: str, amount: str, shown: str
) -> None:
    page = browse()
    page.goto(site.checkout(site.session(language=language, currency=currency, amount=amount, items=1)))

    assert re.fullmatch(shown, page.locator("tfoot td").first.inner_text())


def test_arabic_as_written_in_egypt_has_its_digits_and_is_mirrored(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["checkout"](site, page, "ar-EG")
    summary, pay = (page.locator(one).bounding_box() for one in (".sc-summary", ".sc-pay"))

    assert "٩٠٫١٢" in page.locator("tfoot td").first.inner_text()
    assert "٢ × Paper lantern" in page.locator("tbody th").first.inner_text()
    assert summary is not None
    assert pay is not None
    assert summary["x"] > pay["x"]


def test_names_and_amounts_keep_their_direction_to_themselves(site: Site, browse: Browse) -> None:
    page = browse()
    lines = [Line(name="מנורה (large)", unit_price=Decimal("45.06"), quantity=2)]
    page.goto(site.checkout(site.session(items=lines)))

    for part in ("מנורה (large)", "€90.12", "ada@example.org", "Ada Byron", "Credit card"):
        assert page.locator("bdi", has_text=part).count() >= 1
    assert page.locator("tbody th").first.inner_text() == "2 × מנורה (large)\n€45.06 each"


def printed(page: Page) -> str:
    # No background, as browsers print.
    pdf = page.pdf(format="A4", print_background=False)
    text = "\n".join(sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_has_the_whole_order_and_the_reference_and_no_buttons(
    site: Site, browse: Browse, scheme: str
) -> None:
    page = browse(viewport={"width": 375, "height": 800}, color_scheme=scheme)
    session = site.session(amount="600.00", items=60)
    page.goto(site.checkout(session))
    text = printed(page)

    for number in range(1, 61):
        assert re.search(rf"Product {number}\b", text)
    for part in ("€600.00", "ada@example.org", "1 rue des Écoles", session.invoice.target_id, "shop.example"):
        assert part in text
    for part in ("Pay €", "Back to", "Change this", "English", "Skip", "60 items"):
        assert part not in text


def test_paper_has_how_to_pay_the_reference_and_the_date(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["instructions"](site, page, "en")
    text = printed(page)
    payment = Payment.objects.get()

    for part in (
        "FR76 3000 6000 0112 3456 7890 189",
        "€90.12",
        str(payment.reference),
        str(payment.created_at.year),
    ):
        assert part in text
    assert "Continue" not in text


def test_paper_is_black_on_white_also_at_night(site: Site, browse: Browse) -> None:
    page = browse(color_scheme="dark")
    STATES["checkout"](site, page, "en")
    page.emulate_media(media="print")

    for selector, prop, value in (
        ("body", "color", "rgb(0, 0, 0)"),
        (".sc-summary", "borderTopWidth", "0px"),
        ("body", "backgroundColor", "rgb(255, 255, 255)"),
    ):
        assert page.locator(selector).evaluate(f"one => getComputedStyle(one).{prop}") == value


def test_the_shops_name_and_its_help_stand_in_the_same_place_on_every_page(
    site: Site, browse: Browse
) -> None:
    page = browse()
    site.checkout_settings.store(MODE="test")

    for reach in STATES.values():
        site.reset()
        reach(site, page, "en")
        expect(page.get_by_role("banner")).to_contain_text("shop.example")
        expect(page.get_by_role("banner")).to_contain_text("TEST Test mode")
        expect(page.get_by_role("contentinfo")).to_contain_text(
            "Questions about this order? Contact the shop: shop.example"
        )


def test_a_live_store_has_no_badge(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["checkout"](site, page, "en")

    assert "TEST" not in page.locator("body").inner_text()


def test_the_page_says_who_takes_the_money_and_borrows_nobodys_logo(site: Site, browse: Browse) -> None:
    page = browse()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    STATES["checkout"](site, page, "en")

    expect(page.get_by_role("contentinfo")).to_contain_text("Payment processed by shop.example")
    assert page.locator("img, svg, iframe").count() == 0
    assert [url for url in asked if not url.startswith(site.url)] == []
    assert (
        len(asked) <= 4
    )  # the page, its stylesheet, its script, and the icon that browsers ask for by themselves


def test_nobody_learns_the_address_of_the_page_and_nobody_keeps_it(site: Site, browse: Browse) -> None:
    page = browse()
    session = site.session()
    answer = page.goto(site.checkout(session))
    assert answer is not None
    assert answer.headers["referrer-policy"] == "strict-origin"
    assert answer.headers["cache-control"] == "no-store, private"

    with page.expect_request(lambda request: request.url.startswith("https://shop.example/")) as left:
        page.get_by_role("link", name="Back to the cart").click()

    assert left.value.headers.get("referer", "") in {"", f"{site.url}/"}
    assert left.value.url == BACK_URL.partition("#")[0]
