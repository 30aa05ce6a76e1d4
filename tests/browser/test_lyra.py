"""To Lyra's page and back, as a browser goes: a policy or a header that is in the way would stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import responses
from playwright.sync_api import Page, Route, expect

from snipcart_checkout.models import Payment
from tests.support.browser_site import SHOP, Browse, Site, press_pay
from tests.support.lyra_account import PAGE, LyraAccount
from tests.support.lyra_charges import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lyra(site: Site) -> Iterator[LyraAccount]:
    site.use("snipcart_checkout.backends.lyra.LyraBackend", OPTIONS=OPTIONS)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield LyraAccount(mock)


def leave(site: Site, lyra: LyraAccount, page: Page) -> Payment:
    """Press the button, and arrive at a page in Lyra's place that leads back by a link, or by a form."""

    def answer(route: Route) -> None:
        fields = '<input type="hidden" name="vads_trans_status" value="AUTHORISED">'
        form = f'<form method="post" action="{lyra.return_url}">{fields}<button>Send back</button></form>'
        route.fulfill(content_type="text/html", body=f'<a href="{lyra.return_url}">Back</a>{form}')

    page.context.route(f"{PAGE}/**", answer)
    page.goto(site.checkout(site.session()))
    press_pay(page)
    page.wait_for_url(f"{PAGE}/t/**")
    payment: Payment = Payment.objects.get()
    return payment


@pytest.mark.parametrize("role, name", [("link", "Back"), ("button", "Send back")])
def test_a_shopper_pays_at_lyra_and_goes_on_to_the_order(
    site: Site, browse: Browse, lyra: LyraAccount, role: str, name: str
) -> None:
    page = browse()
    payment = leave(site, lyra, page)
    lyra.shopper_pays(payment.reference)
    page.get_by_role("link" if role == "link" else "button", name=name, exact=True).click()
    page.wait_for_url(f"{SHOP}/**")
    assert Payment.objects.get().state == "paid"


def test_a_shopper_who_comes_back_unpaid_is_told_and_can_go_on_to_the_shop(
    site: Site, browse: Browse, lyra: LyraAccount
) -> None:
    page = browse()
    leave(site, lyra, page)
    page.get_by_role("link", name="Back").click()
    expect(page.locator("main")).to_contain_text("The payment was cancelled. No money was taken.")
    page.get_by_role("button", name="Back to the shop").click()
    page.wait_for_url(f"{SHOP}/**")
    assert [order["paymentOrderStatus"] for order in lyra.orders.values()] == ["CANCELLED"]
