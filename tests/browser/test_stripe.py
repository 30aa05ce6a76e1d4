"""To Stripe's page and back, as a browser goes: a policy or a header that is in the way would stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import responses
from playwright.sync_api import Page, Route, expect

from snipcart_checkout.models import Payment
from tests.support.browser_site import SHOP, Browse, Site, press_pay
from tests.support.stripe_account import LIVE_KEY, SIGNING_SECRET, StripeAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def account(site: Site) -> Iterator[StripeAccount]:
    site.use(
        "snipcart_checkout.backends.stripe.StripeBackend",
        OPTIONS={"SECRET_KEY": LIVE_KEY, "WEBHOOK_SECRETS": [SIGNING_SECRET]},
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield StripeAccount(mock)


def leave(site: Site, account: StripeAccount, page: Page) -> None:
    """Press the button, and arrive at a page in Stripe's place whose links lead where Stripe's lead."""

    def answer(route: Route) -> None:
        session = account.session
        body = f'<a href="{session["cancel_url"]}">Back</a> <a href="{session["success_url"]}">Paid</a>'
        route.fulfill(content_type="text/html", body=body)

    page.context.route("https://checkout.stripe.com/**", answer)
    page.goto(site.checkout(site.session()))
    press_pay(page)
    page.wait_for_url("https://checkout.stripe.com/c/pay/**")
    assert page.url == account.session["url"]


def test_a_shopper_pays_at_stripe_and_goes_on_to_the_order(
    site: Site, browse: Browse, account: StripeAccount
) -> None:
    page = browse()
    leave(site, account, page)
    account.shopper_pays(account.session["id"])
    page.get_by_role("link", name="Paid").click()
    page.wait_for_url(f"{SHOP}/**")
    assert Payment.objects.get().state == "paid"


def test_a_shopper_who_comes_back_unpaid_is_told_and_can_go_on_to_the_shop(
    site: Site, browse: Browse, account: StripeAccount
) -> None:
    page = browse()
    leave(site, account, page)
    page.get_by_role("link", name="Back").click()
    expect(page.locator("main")).to_contain_text("The payment was cancelled. No money was taken.")
    page.get_by_role("button", name="Back to the shop").click()
    page.wait_for_url(f"{SHOP}/**")
    assert account.session["status"] == "expired"
