"""What the shopper is told when something is wrong, and how to go on (points 28 to 32)."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.declines import decline_text
from snipcart_checkout.presentation.languages import LANGUAGES
from snipcart_checkout.sandbox.core.error_texts import ERROR_TEXTS
from tests.browser.test_methods import FORM, SCRIPTED, fill_in
from tests.support.browser_site import STATES, Browse, Site, press_pay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scripting", [True, False])
def test_the_summary_of_mistakes_takes_the_focus_and_leads_to_each_field(
    site: Site, browse: Browse, scripting: bool
) -> None:
    page = browse(java_script_enabled=scripting)
    STATES["form-errors"](site, page, "en")
    summary = page.get_by_role("alert")

    expect(summary).to_be_focused()
    expect(summary.get_by_role("heading", level=2)).to_have_text("Please correct the fields marked below")
    links = summary.get_by_role("link").all()
    assert len(links) == 4
    for link in links:
        label, _, error = link.inner_text().partition(": ")
        link.click()
        field = page.locator(":focus")
        if scripting:
            assert field.get_attribute("aria-invalid") == "true"
        target = page.locator(link.get_attribute("href") or "")
        frame = page.locator(".sc-field").filter(has=target)
        expect(frame).to_contain_text(label)
        expect(frame.locator(".sc-error")).to_have_text(error)
        described = (
            frame.get_attribute("aria-describedby") or target.get_attribute("aria-describedby") or ""
        ).split()
        assert frame.locator(".sc-error").get_attribute("id") in described


@pytest.mark.parametrize("code", sorted(ERROR_TEXTS))
def test_each_code_of_snipcarts_is_told_apart_in_every_language(code: str) -> None:
    same = {"invalid_date": "invalid_expiration"}
    for language in LANGUAGES:
        text = decline_text(code, language)
        others = {
            decline_text(other, language)
            for other in ERROR_TEXTS.keys() - {code, same.get(code, "")}
            if same.get(other) != code
        }
        assert text
        assert text not in others
        assert language == "en" or text != decline_text(code, "en")


def test_an_unknown_code_has_a_neutral_text(site: Site, browse: Browse) -> None:
    page = browse()
    site.provider.script(charge="declined", code="do_not_honour_4711")
    page.goto(site.checkout(site.session()))
    press_pay(page)

    text = page.locator("main").inner_text()
    assert "The payment was declined. No money was taken." in text
    assert "4711" not in page.content()


def test_a_decline_says_what_happened_what_it_cost_and_what_to_do(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["declined"](site, page, "en")
    alert = page.get_by_role("alert")

    expect(alert).to_be_focused()
    for part in (
        "The payment was declined",
        "not enough money in the account",
        "No money was taken",
        "Try again",
    ):
        expect(alert).to_contain_text(part)


def test_after_a_decline_what_was_typed_is_kept_and_another_try_is_one_click_away(
    site: Site, browse: Browse
) -> None:
    site.use(FORM, SCRIPTED)
    site.provider.script(charge="declined", code="insufficient_funds")
    page = browse()
    page.goto(site.checkout(site.session()))
    fill_in(page)
    press_pay(page)

    expect(page.get_by_label("Bank of the South")).to_be_checked()
    expect(page.get_by_label("Account holder")).to_have_value("Ada Byron")
    expect(page.get_by_role("link", name="Bank transfer")).to_be_visible()
    site.provider.script()
    press_pay(page)

    assert sorted(Payment.objects.values_list("state", flat=True)) == ["declined", "paid"]


def test_after_a_decline_another_method_is_one_click_away(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["declined"](site, page, "en")
    site.provider.script()

    page.get_by_role("link", name="Bank transfer").click()
    press_pay(page)

    assert Payment.objects.get(state="paid").method == "acme_transfer"


def test_what_the_provider_raised_is_shown_to_nobody(site: Site, browse: Browse) -> None:
    page = browse()
    site.provider.script(before="raise", lookup="raise")
    session = site.session()
    page.goto(site.checkout(session))
    press_pay(page)

    content = page.content()
    assert "Your payment is being checked" in content
    for secret in ("ProviderDown", "Traceback", session.public_token, "primary-key-for-tests", "capability"):
        assert secret not in content


@pytest.mark.parametrize("state", ["declined", "form-errors", "changed", "limit"])
def test_no_token_stands_in_the_text_of_the_page(site: Site, browse: Browse, state: str) -> None:
    page = browse()
    STATES[state](site, page, "en")

    token = page.locator("[name=publicToken]").first
    shown = page.locator("body").inner_text()
    assert state == "limit" or token.input_value() not in shown
    assert "eyJ" not in shown


@pytest.mark.parametrize(
    "state, sign",
    [("form-errors", ".sc-error"), ("refused", ".sc-sign"), ("pending", ".sc-sign"), ("done", ".sc-sign")],
)
def test_no_state_is_told_by_colour_alone(site: Site, browse: Browse, state: str, sign: str) -> None:
    page = browse()
    STATES[state](site, page, "en")

    drawn = page.locator(sign).first.evaluate("one => getComputedStyle(one, '::before').content")
    assert drawn.strip('"').strip() not in {"", "none", "normal"}
    assert page.locator("h1").inner_text()
