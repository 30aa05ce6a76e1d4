"""The page that sells: what stands where, what a press does, and what a shopper is left with (points 47 to 60)."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import zxingcpp
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Page, expect
from pytest_playwright.pytest_playwright import CreateContextCallback

from snipcart_checkout import services
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.colours import contrast
from tests.browser.test_methods import SCRIPTED
from tests.support.browser_site import BACK_URL, SHOP, STATES, Browse, Site, press_pay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TELEPHONE = {"width": 390, "height": 844}
IBAN = "FR76 3000 6000 0112 3456 7890 189"
BRAND = {
    "NAME": "The Paper Lantern",
    "LOGO": "snipcart_checkout_sandbox/icon.svg",
    "LOGO_DARK": "snipcart_checkout_sandbox/icon.svg",
    "ACCENT": "#7a1f3d",
    "CONTACT": "mailto:hello@shop.example",
}


def offer_three(site: Site) -> None:
    """Cards by Stripe with four icons, a transfer, and a method of the shop's own."""
    site.use(SCRIPTED, SCRIPTED, SCRIPTED)
    site.checkout_settings.store(MODE="test")
    site.checkout_settings.method(
        "acme_card",
        BACKEND="snipcart_checkout.backends.stripe.StripeBackend",
        OPTIONS={"SECRET_KEY": "sk_test_of_the_tests", "WEBHOOK_SECRETS": ["whsec_of_the_tests"]},
        ICON=[f"https://icons.example/{brand}.svg" for brand in ("a", "b", "c", "d")],
    )
    site.checkout_settings.method(
        "acme_transfer",
        BACKEND="snipcart_checkout.backends.manual.ManualBackend",
        OPTIONS={
            "ACCOUNT_HOLDER": "The Paper Lantern",
            "IBAN": IBAN.replace(" ", ""),
            "BIC": "AGRIFRPP",
            "EXPIRES_AFTER_DAYS": 14,
        },
    )
    site.checkout_settings.method("acme_delivery", DESCRIPTION="You pay the postman in cash.")


def box(page: Page, selector: str) -> dict[str, float]:
    found = page.locator(selector).first.bounding_box()
    assert found is not None, selector
    x, y, width, height = found["x"], found["y"], found["width"], found["height"]
    return {"x": x, "y": y, "width": width, "height": height, "end": y + height}


@pytest.mark.parametrize("language", ["en", "fr", "de", "ar", "ja"])
def test_on_a_telephone_total_methods_and_button_are_seen_without_scrolling(
    site: Site, browse: Browse, language: str
) -> None:
    offer_three(site)
    page = browse(viewport=TELEPHONE)
    session = site.session(language=language)

    page.goto(site.checkout(session, method=""))
    assert box(page, ".sc-methods")["end"] <= 844
    expect(page.locator(".sc-items")).not_to_be_visible()
    assert re.fullmatch(r"\S+ .+ · .*90.12.*|.+·.*90.12.*", page.locator(".sc-fold summary").inner_text())
    page.goto(site.checkout(session, method="acme_card"))

    fold, method, button, people = (
        box(page, one) for one in (".sc-fold summary", ".sc-method", ".sc-form button", ".sc-people")
    )
    assert fold["height"] <= 64
    assert fold["end"] <= method["y"] < method["end"] <= button["y"] < button["end"] <= 844
    assert people["y"] >= button["end"]


@pytest.mark.parametrize("language", ["en", "fr", "de", "nl", "pt-BR", "ar", "ja"])
def test_on_the_smallest_telephone_they_are_seen_too_below_a_logo_and_the_word_test(
    site: Site, browse: Browse, language: str
) -> None:
    offer_three(site)
    site.checkout_settings.store(BRAND=BRAND)
    page = browse(viewport={"width": 320, "height": 568})
    session = site.session(language=language)

    page.goto(site.checkout(session, method=""))
    assert box(page, ".sc-fold summary")["end"] < box(page, ".sc-methods")["end"] <= 568
    page.goto(site.checkout(session, method="acme_transfer"))
    assert box(page, ".sc-method")["end"] < box(page, ".sc-form button")["end"] <= 568
    expect(page.get_by_role("banner").locator("strong")).to_have_text("TEST")
    # The way back and the language stand in one row below the name of the shop, however short their words are.
    back, languages = box(page, ".sc-back"), box(page, ".sc-langs")
    assert abs((back["y"] + back["end"]) - (languages["y"] + languages["end"])) < 2
    assert back["y"] >= box(page, ".sc-logo")["end"]


@pytest.mark.parametrize(
    "columns, place",
    [
        ({"state": "paid", "order_url": f"{SHOP}/order"}, "shop.example"),
        ({"state": "pending", "redirect_url": "https://provider.example/pay/1"}, "provider.example"),
        ({"state": "declined", "decline_code": "expired"}, ""),
        ({"state": "abandoned"}, ""),
        ({"state": "paid"}, ""),
        ({"state": "review", "review_reason": "order_changed", "order_url": f"{SHOP}/order"}, ""),
        ({"state": "pending", "instructions": "Pay at the counter.", "order_url": f"{SHOP}/order"}, ""),
    ],
)
def test_a_status_page_leads_on_at_once_or_never(
    site: Site, browse: Browse, columns: dict[str, Any], place: str
) -> None:
    page = browse()
    if "redirect_url" in columns:
        # The shopper goes on to a provider only with the order that is paid there.
        token = site.session().public_token
        order = services.get_payment_session(token, store="live")
        columns = {**columns, "public_token": token, "order_hash": services.hash_order(order)}
    payment = site.payment(**columns)
    if place:
        page.goto(site.status(payment), wait_until="commit")
        page.wait_for_url(f"https://{place}/**", timeout=10_000)
        return
    page.clock.install(time=0)
    page.goto(site.status(payment))
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))

    page.clock.run_for(3600 * 1000)

    assert loads == []
    assert page.locator("main a, main button").count() >= 1


@pytest.mark.parametrize("blocked", [False, True])
def test_a_waiting_page_can_be_asked_again_without_the_script(
    site: Site, new_context: CreateContextCallback, blocked: bool
) -> None:
    context = new_context(java_script_enabled=blocked)
    page = context.new_page()
    if blocked:
        page.route("**/checkout.js", lambda route: route.fulfill(body="changed on the way"))
    payment = site.payment("charging")
    page.goto(site.status(payment))
    assert "refresh" not in page.content().lower()
    Payment.objects.filter(pk=payment.pk).update(
        state="review", review_reason="outcome_unknown", live_key=None
    )

    page.get_by_role("link", name="Check again").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("The shop is reviewing your payment")


def test_news_are_announced_where_they_are_and_the_focus_is_kept(site: Site, browse: Browse) -> None:
    page = browse()
    payment = site.payment("charging")
    page.goto(site.status(payment))
    news = page.locator("[role=status]")
    assert news.inner_text() == ""
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    contact = page.locator(".sc-langs summary")
    contact.focus()

    Payment.objects.filter(pk=payment.pk).update(
        state="paid",
        captured_at=payment.created_at,
        captured_minor_units=9012,
        captured_currency="EUR",
        order_url=f"{SHOP}/order",
    )

    expect(news).to_contain_text("Paid", timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Paid")
    expect(contact).to_be_focused()
    expect(page.get_by_role("link", name="Continue to your order")).to_have_attribute("href", f"{SHOP}/order")
    assert loads == []


def test_a_waiting_sign_comes_to_rest(site: Site, browse: Browse) -> None:
    page = browse(reduced_motion="no-preference")
    STATES["pending"](site, page, "en")

    lasts = page.evaluate("document.getAnimations().map(one => one.effect.getComputedTiming().endTime)")
    assert lasts
    assert max(lasts) <= 5000


def test_the_button_says_what_happens(site: Site, browse: Browse) -> None:
    offer_three(site)
    page = browse()
    session = site.session()
    for method, words in (
        ("acme_card", "Continue to Stripe"),
        ("acme_transfer", "Place order and see bank details"),
        ("acme_delivery", "Pay €90.12"),
    ):
        page.goto(site.checkout(session, method=method))
        assert page.locator(".sc-form .sc-ready").inner_text() == words
        # Where the button does not say how much, the line above it does.
        assert page.locator(".sc-pay").inner_text().count("€90.12") == 1


def test_methods_are_a_choice_with_a_mark_a_line_and_icons(site: Site, browse: Browse) -> None:
    offer_three(site)
    page = browse(viewport=TELEPHONE)
    page.goto(site.checkout(site.session(), method=""))
    ways = page.get_by_role("navigation", name="Payment methods").get_by_role("link")

    assert [way.inner_text().split("\n")[0].strip() for way in ways.all()] == [
        "Credit card",
        "Bank transfer",
        "Pay on delivery",
    ]
    for way, line in zip(ways.all(), ("Stripe", "bank details come next", "postman"), strict=True):
        assert line in way.inner_text()
        assert way.locator(".sc-mark").evaluate("one => getComputedStyle(one).borderTopWidth") == "2px"
    assert ways.first.locator("img").count() == 4
    ways.first.click()
    chosen = page.locator(".sc-method .sc-mark")
    assert chosen.evaluate("one => getComputedStyle(one).borderTopWidth") == "6px"


def test_once_one_is_chosen_the_others_are_folded(site: Site, browse: Browse) -> None:
    offer_three(site)
    page = browse(viewport=TELEPHONE)
    page.goto(site.checkout(site.session(), method="acme_card"))
    other = page.get_by_role("link", name="Bank transfer")
    expect(other).not_to_be_visible()

    page.get_by_text("Pay another way").click()
    other.click()

    expect(page.locator(".sc-method")).to_contain_text("Bank transfer")


def test_a_decline_can_be_tried_again_or_paid_another_way_from_where_it_stands(
    site: Site, browse: Browse
) -> None:
    page = browse(viewport=TELEPHONE)
    STATES["declined"](site, page, "en")
    alert = page.get_by_role("alert")

    alert.get_by_role("link", name="Pay another way").click()
    expect(page.get_by_role("link", name="Bank transfer")).to_be_in_viewport()
    alert.get_by_role("link", name="Try again").click()
    expect(page.locator(".sc-form")).to_be_focused()
    expect(page.get_by_role("button", name="Pay €90.12")).to_be_in_viewport()


@pytest.mark.parametrize("scripting", [True, False])
@pytest.mark.parametrize("button, heading", [("Try again", "Pay for"), ("Pay another way", "Choose a")])
def test_a_decline_of_the_provider_leads_back_to_the_order(
    site: Site, browse: Browse, button: str, heading: str, scripting: bool
) -> None:
    site.use(SCRIPTED, SCRIPTED)
    site.provider.script(charge="redirect")
    page = browse(java_script_enabled=scripting)
    session = site.session()
    page.goto(site.checkout(session))
    page.locator(".sc-form button").first.click()
    page.wait_for_url("https://provider.example/**")
    payment = Payment.objects.get()
    Payment.objects.update(state="declined", decline_code="expired", live_key=None, redirect_url="")

    page.goto(site.status(payment))
    assert session.public_token not in page.content()
    page.get_by_role("button", name=button).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    assert session.public_token in page.url


def test_a_limit_shows_no_methods(site: Site, browse: Browse) -> None:
    page = browse()
    site.use(SCRIPTED, SCRIPTED)
    STATES["limit"](site, page, "en")

    assert page.locator(".sc-methods, .sc-method, .sc-form").count() == 0
    expect(page.locator(".sc-pay").get_by_role("link", name="Back to the shop")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bank_details_can_be_copied_and_scanned(site: Site, browse: Browse, scheme: str) -> None:
    offer_three(site)
    page = browse(viewport=TELEPHONE, color_scheme=scheme, permissions=["clipboard-read", "clipboard-write"])
    page.goto(site.checkout(site.session(), method="acme_transfer"))
    press_pay(page)
    payment = Payment.objects.get()

    labels = page.locator(".sc-transfer dt").all_inner_texts()
    assert labels == ["Amount", "Account holder", "IBAN", "BIC", "Payment reference", "Pay by"]
    expect(page.locator(".sc-transfer")).to_contain_text(IBAN)
    groups = page.locator(".sc-transfer div", has_text="IBAN").locator("dd span:not(.sc-ready, .sc-hidden)")
    assert groups.all_inner_texts() == IBAN.split(" ")
    assert {group.evaluate("one => one.getClientRects().length") for group in groups.all()} == {1}
    for label, copied in (
        ("Amount", "90.12"),
        ("IBAN", IBAN.replace(" ", "")),
        ("Payment reference", payment.display_reference),
    ):
        page.get_by_role("button", name=f"Copy {label}").click()
        assert page.evaluate("navigator.clipboard.readText()") == copied
    assert len(payment.display_reference) <= 18

    picture = Image.open(io.BytesIO(page.locator(".sc-qr").screenshot(scale="css")))
    (code,) = zxingcpp.read_barcodes(picture)
    assert code.text.split("\n") == [
        "BCD",
        "002",
        "1",
        "SCT",
        "AGRIFRPP",
        "The Paper Lantern",
        IBAN.replace(" ", ""),
        "EUR90.12",
        "",
        "",
        payment.display_reference,
    ]
    # The way to the order is less than what has to be done first.
    expect(page.locator("main .sc-button")).to_have_count(0)
    expect(page.get_by_role("link", name="Continue to your order")).to_be_visible()


def test_bank_details_are_mirrored_with_their_labels(site: Site, browse: Browse) -> None:
    offer_three(site)
    page = browse(viewport=TELEPHONE)
    page.goto(site.checkout(site.session(language="ar"), method="acme_transfer"))
    press_pay(page)

    rows = page.locator(".sc-transfer > div").all()
    assert len(rows) == 6
    for row in rows:
        label, value = (
            row.locator(part).evaluate_all(
                "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
            )
            for part in ("dt", "dd:not(.sc-copy) > *")
        )
        assert abs(label - value) < 1
        assert label > 300


def test_a_transfer_in_another_currency_has_no_code(site: Site, browse: Browse) -> None:
    offer_three(site)
    page = browse()
    page.goto(site.checkout(site.session(currency="CHF"), method="acme_transfer"))
    press_pay(page)

    assert page.locator(".sc-transfer").count() == 1
    assert page.locator("svg").count() == 0


@pytest.mark.parametrize("state", ["refused", "abandoned", "pending", "detour"])
def test_an_amount_that_was_not_taken_is_no_headline(site: Site, browse: Browse, state: str) -> None:
    page = browse()
    STATES[state](site, page, "en")

    assert page.locator(".sc-amount").count() == 0
    label = page.locator(".sc-details div", has_text="€90.12").locator("dt").inner_text()
    assert label == ("Still to pay" if state in {"refused", "abandoned"} else "Amount")


@pytest.mark.parametrize("shared", [False, True])
def test_every_page_has_brand_contact_and_a_way_back(site: Site, browse: Browse, shared: bool) -> None:
    page = browse()
    if shared:
        site.checkout_settings.store("test", like="live", MODE="test")
    site.checkout_settings.store("live", BRAND=BRAND)

    for state, reach in STATES.items():
        site.reset()
        reach(site, page, "en")
        expect(page.get_by_role("banner").get_by_role("img", name="The Paper Lantern")).to_be_visible()
        contact = page.get_by_role("contentinfo").get_by_role("link", name="hello@shop.example")
        expect(contact).to_have_attribute("href", "mailto:hello@shop.example")
        ways = page.locator(f"a[href^='{SHOP}'], button[name=give_up]")
        assert ways.count() >= 1, state


def add_note(request: Any, session: Any, store: Any) -> dict[str, str]:
    """A CONTEXT hook."""
    return {"help_text": f"{'order' if session else 'no order'} of {store.name}"}


def test_the_hook_of_the_site_is_asked_for_every_page(site: Site, browse: Browse) -> None:
    page = browse()
    site.checkout_settings(CONTEXT=f"{__name__}.add_note")
    for state, note in (("checkout", "order of"), ("refused", "no order of"), ("expired", "no order of")):
        STATES[state](site, page, "en")
        expect(page.get_by_role("contentinfo")).to_contain_text(f"Contact the shop: {note} live")


def test_the_status_page_names_method_order_and_who_processes_it(site: Site, browse: Browse) -> None:
    offer_three(site)
    page = browse()
    page.goto(site.status(site.payment("charging", cart_id="order-4711")))

    details = page.locator(".sc-details")
    expect(details).to_contain_text("Credit card")
    expect(details).to_contain_text("order-4711")
    expect(details).to_contain_text(Payment.objects.get().display_reference)
    expect(page.get_by_role("contentinfo")).to_contain_text("Payment processed by Stripe")


def test_the_switch_has_the_languages_of_the_site_and_the_token_once(site: Site, browse: Browse) -> None:
    site.settings.LANGUAGES = [("en", "English"), ("fr-fr", "French"), ("xx", "Nobody's")]
    page = browse()
    session = site.session()
    page.goto(site.checkout(session))
    switch = page.get_by_role("form", name="Language")

    switch.locator("summary").click()
    assert switch.get_by_role("button").all_inner_texts() == ["English", "Français"]
    assert switch.evaluate("one => one.outerHTML").count(session.public_token) == 1
    menu = box(page, ".sc-langs ul")
    assert menu["width"] < 320
    switch.get_by_role("button", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    site.settings.LANGUAGES = [("en", "English")]
    page.goto(site.checkout(session))
    assert page.locator(".sc-langs").count() == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_back_link_covers_its_words_only(site: Site, browse: Browse, width: int) -> None:
    page = browse(viewport={"width": width, "height": 844})
    STATES["checkout"](site, page, "en")
    link = box(page, ".sc-back a")

    over = "([x, y]) => !!document.elementFromPoint(x, y)?.closest('a')"
    middle = link["y"] + link["height"] / 2
    assert page.evaluate(over, [link["x"] + link["width"] / 2, middle])
    assert not page.evaluate(over, [link["x"] + link["width"] + 12, middle])


def computed(page: Page, selector: str, name: str) -> str:
    shown = page.locator(selector).first.evaluate(f"one => getComputedStyle(one)['{name}']")
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", shown)[:3])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accent_of_any_colour_can_be_read(site: Site, browse: Browse, scheme: str) -> None:
    page = browse(color_scheme=scheme)
    session = site.session()
    accents = "#000 #fff #777777 #7a1f3d #ffd400 #00ff00 #0000ff #ff0000 #00ffff #ff00ff #0a5c4a #c0ffee"
    for accent in accents.split():
        site.checkout_settings.store(BRAND={"ACCENT": accent})
        page.goto(site.checkout(session))
        button = ".sc-form .sc-button"
        ratios = {
            "button": contrast(computed(page, button, "color"), computed(page, button, "backgroundColor")),
            "link": contrast(computed(page, ".sc-edit a", "color"), computed(page, ".sc-people", "backgroundColor")),
            "back": contrast(computed(page, ".sc-back a", "color"), computed(page, ".sc-top", "backgroundColor")),
            "border": contrast(computed(page, button, "borderTopColor"), computed(page, "body", "backgroundColor")),
        }  # fmt: skip
        assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}, accent


def test_small_things_are_right(site: Site, browse: Browse) -> None:
    page = browse(viewport=TELEPHONE)
    STATES["checkout"](site, page, "en")
    page.locator(".sc-fold summary").click()
    assert "−€7.80" in page.locator(".sc-items").inner_text()

    for state in ("checkout", "choice", "refused", "instructions", "done", "expired"):
        STATES[state](site, page, "en")
        headings = page.locator("h1, h2, h3").all_text_contents()
        assert all(heading.strip() for heading in headings)
        assert len(set(headings)) == len(headings)
        for date in page.locator("time bdi").all():
            text = date.text_content() or ""
            assert " " not in text.partition(",")[0]


def test_a_plan_is_named_and_refused_where_the_store_wants_none(site: Site, browse: Browse) -> None:
    page = browse()
    session = site.session(items=1, amount="10.00")
    invoice = session.to_json()["invoice"]
    invoice["items"][0]["hasSelectedPlan"] = True
    session.document = {"invoice": invoice}
    page.goto(site.checkout(session))
    expect(page.locator(".sc-items")).to_contain_text("Subscription")
    expect(page.locator(".sc-summary")).to_contain_text("You pay this amount once")

    site.checkout_settings.store(PLANS="refuse")
    page.goto(site.checkout(session))

    expect(page.get_by_role("heading", level=1)).to_have_text("Subscriptions cannot be paid here")
    expect(page.get_by_role("link", name="Back to the shop")).to_have_attribute("href", BACK_URL)


def test_taxes_that_the_prices_hold_are_not_put_on_top(site: Site, browse: Browse) -> None:
    page = browse()
    session = site.session(items=1, amount="10.00")
    invoice = session.to_json()["invoice"]
    invoice["items"].append(
        {"name": "VAT 20 %", "type": "Tax", "unitPrice": 1.67, "quantity": 1, "amount": 1.67}
    )
    session.document = {"invoice": invoice}
    page.goto(site.checkout(session))

    rows = page.locator(".sc-items tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows[-2:]] == ["Total", "Includes VAT 20 %"]
    assert "not itemised" not in page.locator("main").inner_text()


def test_what_the_browser_believes_of_its_network_keeps_nothing_from_being_sent(
    site: Site, browse: Browse
) -> None:
    page = browse()
    page.add_init_script("Object.defineProperty(navigator, 'onLine', {value: false})")
    page.goto(site.checkout(site.session()))

    press_pay(page)

    assert Payment.objects.get().state == "paid"


def test_the_mount_of_two_stores_is_branded_too(site: Site, browse: Browse) -> None:
    site.checkout_settings.store("test", like="live", MODE="test")
    site.checkout_settings.store("live", BRAND=BRAND)
    page = browse()

    page.goto(f"{site.url}{reverse('snipcart_checkout:checkout')}")

    expect(page.get_by_role("banner").get_by_role("img", name="The Paper Lantern")).to_be_visible()
    expect(page.get_by_role("link", name="Back to the shop")).to_have_attribute("href", SHOP)
