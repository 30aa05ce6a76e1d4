"""To PayPal's page and back, as a browser goes: a policy or a header that is in the way would stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import responses
from playwright.sync_api import Page, Route, expect

from snipcart_checkout.backends.paypal import tokens
from snipcart_checkout.models import Payment
from tests.support.browser_site import SHOP, Browse, Site, press_pay
from tests.support.paypal_account import PayPalAccount
from tests.support.paypal_charges import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def account(site: Site) -> Iterator[PayPalAccount]:
    site.use("snipcart_checkout.backends.paypal.PayPalBackend", OPTIONS=OPTIONS)
    tokens.drop_all_tokens()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield PayPalAccount(mock)


def leave(site: Site, account: PayPalAccount, page: Page) -> None:
    """Press the button, and arrive at a page in PayPal's place whose links lead where PayPal's lead."""

    def answer(route: Route) -> None:
        return_url, cancel_url = account.returns
        token = account.order["id"]
        body = (
            f'<a href="{cancel_url}?token={token}">Cancel and return</a> '
            f'<a href="{return_url}?token={token}&PayerID=QYR5Z8XDVJNXQ">Complete purchase</a>'
        )
        route.fulfill(content_type="text/html", body=body)

    page.context.route("https://www.paypal.com/**", answer)
    page.goto(site.checkout(site.session()))
    press_pay(page)
    page.wait_for_url("https://www.paypal.com/checkoutnow**")
    assert page.url == account.order["links"][1]["href"]


def test_a_shopper_pays_with_paypal_and_goes_on_to_the_order(
    site: Site, browse: Browse, account: PayPalAccount
) -> None:
    page = browse()
    leave(site, account, page)
    account.shopper_approves(account.order["id"])
    page.get_by_role("link", name="Complete purchase").click()
    page.wait_for_url(f"{SHOP}/**")
    assert Payment.objects.get().state == "paid"


def test_a_shopper_who_cancels_at_paypal_is_told_and_can_pay_again(
    site: Site, browse: Browse, account: PayPalAccount
) -> None:
    page = browse()
    leave(site, account, page)
    page.get_by_role("link", name="Cancel and return").click()
    expect(page.get_by_text("The payment was cancelled.", exact=False)).to_be_visible()
    assert account.order["intent"] == "AUTHORIZE"
    assert Payment.objects.get().state == "declined"
