"""To Mollie's page and back, as a browser goes: a policy or a header that is in the way would stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import responses
from playwright.sync_api import Page, Route, expect

from snipcart_checkout.models import Payment
from tests.support.browser_site import SHOP, Browse, Site, press_pay
from tests.support.mollie_account import LIVE_KEY, MollieAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def account(site: Site) -> Iterator[MollieAccount]:
    site.use("snipcart_checkout.backends.mollie.MollieBackend", OPTIONS={"API_KEY": LIVE_KEY})
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield MollieAccount(mock)


def leave(site: Site, account: MollieAccount, page: Page) -> None:
    """Press the button, and arrive at a page in Mollie's place whose links lead where Mollie's lead."""

    def answer(route: Route) -> None:
        payment = account.payment
        body = f'<a href="{payment["cancelUrl"]}">Cancel</a> <a href="{payment["redirectUrl"]}">Go on</a>'
        route.fulfill(content_type="text/html", body=body)

    page.context.route("https://www.mollie.com/**", answer)
    page.goto(site.checkout(site.session()))
    press_pay(page)
    page.wait_for_url("https://www.mollie.com/checkout/**")
    assert page.url == account.payment["_links"]["checkout"]["href"]


def test_a_shopper_pays_at_mollie_and_goes_on_to_the_order(
    site: Site, browse: Browse, account: MollieAccount
) -> None:
    page = browse()
    leave(site, account, page)
    account.shopper_pays(account.payment["id"], "ideal")
    page.get_by_role("link", name="Go on").click()
    page.wait_for_url(f"{SHOP}/**")
    assert Payment.objects.get().state == "paid"


def test_a_shopper_who_cancels_at_mollie_is_told_and_can_go_on_to_the_shop(
    site: Site, browse: Browse, account: MollieAccount
) -> None:
    page = browse()
    leave(site, account, page)
    account.payment_ends(account.payment["id"], "canceled")
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("main")).to_contain_text("The payment was cancelled. No money was taken.")
    page.get_by_role("button", name="Back to the shop").click()
    page.wait_for_url(f"{SHOP}/**")


def test_a_shopper_who_chose_a_transfer_reads_where_to_send_it(
    site: Site, browse: Browse, account: MollieAccount
) -> None:
    page = browse()
    leave(site, account, page)
    account.shopper_chooses_transfer(account.payment["id"])
    page.get_by_role("link", name="Go on").click()
    expect(page.locator("main")).to_contain_text("NL53ABNA0627535577")
    expect(page.locator("main")).to_contain_text("RF12-3456-7890-1234")
