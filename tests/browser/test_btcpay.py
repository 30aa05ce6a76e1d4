"""To BTCPay Server's page and back, as a browser goes: a policy or a header in the way would stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

from snipcart_checkout.models import Payment
from tests.support.browser_site import SHOP, Browse, Site, press_pay
from tests.support.btcpay_charges import OPTIONS
from tests.support.btcpay_server import URL

if TYPE_CHECKING:
    from tests.support.btcpay_server import BTCPayServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _method(site: Site) -> None:
    site.use("snipcart_checkout.backends.btcpay.BTCPayBackend", OPTIONS=OPTIONS)


def leave(site: Site, btcpay: BTCPayServer, page: Page) -> str:
    """Press the button, and arrive at a page in the invoice's place, with its link back to the shop."""

    def answer(route: Route) -> None:
        back = btcpay.invoice["checkout"]["redirectURL"]
        route.fulfill(content_type="text/html", body=f'<a href="{back}">Return to the shop</a>')

    page.context.route(f"{URL}/**", answer)
    page.goto(site.checkout(site.session()))
    press_pay(page)
    page.wait_for_url(f"{URL}/i/**")
    assert page.url == btcpay.invoice["checkoutLink"]
    invoice_id: str = btcpay.invoice["id"]
    return invoice_id


@pytest.mark.parametrize("confirmed, state", [(True, "paid"), (False, "pending")])
def test_a_shopper_pays_with_bitcoin_and_goes_on_to_the_order(
    site: Site, browse: Browse, btcpay: BTCPayServer, confirmed: bool, state: str
) -> None:
    page = browse()
    btcpay.shopper_pays(leave(site, btcpay, page), confirmed=confirmed)
    page.get_by_role("link", name="Return to the shop").click()
    page.wait_for_url(f"{SHOP}/**")
    assert Payment.objects.get().state == state


def test_a_shopper_who_comes_back_unpaid_is_told_and_can_go_on_to_the_shop(
    site: Site, browse: Browse, btcpay: BTCPayServer
) -> None:
    page = browse()
    leave(site, btcpay, page)
    page.get_by_role("link", name="Return to the shop").click()
    expect(page.locator("main")).to_contain_text("The payment was cancelled. No money was taken.")
    page.get_by_role("button", name="Back to the shop").click()
    page.wait_for_url(f"{SHOP}/**")
    assert btcpay.invoice["status"] == "Invalid"
