"""The pages under test: a site, and each state that a shopper may meet."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, Route

from snipcart_checkout.models import Payment, session_key
from snipcart_checkout.testing import CheckoutSettings, Line, StandIn, StandInSession
from tests.support.backends import PROVIDER_ORIGIN, Provider

SHOP: Final = "https://shop.example"
BACK_URL: Final = f"{SHOP}/#/checkout"
INSTRUCTIONS: Final = (
    "Please transfer the amount to this account and quote the payment reference.\nAccount holder: "
    "The Paper Lantern\nIBAN: FR76 3000 6000 0112 3456 7890 189\nBIC: AGRIFRPP"
)
LINES: Final = (
    Line(name="Paper lantern, large", unit_price=Decimal("19.50"), quantity=2),
    Line(name="Beeswax candles, box of 12", unit_price=Decimal("14.00")),
    Line(name="Gift card “Light”", unit_price=Decimal("25.00"), type="Digital"),
    Line(name="LANTERN10", unit_price=Decimal("-7.80"), type="Discount"),
    Line(name="Post", unit_price=Decimal("4.90"), type="Shipping"),
    Line(name="VAT 20 %", unit_price=Decimal("15.02"), type="Tax"),
)
"""Lines of each kind, which add up to the total."""
TOTAL: Final = "90.12"


@dataclass(frozen=True)
class Site:
    """A running site whose Snipcart and whose provider do what the test says."""

    url: str
    snipcart: StandIn
    provider: Provider
    settings: Any
    checkout_settings: CheckoutSettings

    def reset(self) -> None:
        """Undo what reaching a state has changed."""
        self.provider.script()
        self.snipcart.recover()
        self.settings.LANGUAGE_CODE = "en"
        self.use("tests.support.backends.ScriptedBackend")

    def use(self, *backends: str, **method: Any) -> None:
        """Offer one method for each of these backends; the first is ``acme_card``."""
        names = ("Credit card", "Bank transfer", "Pay on delivery")
        methods = {
            f"acme_{name.split()[-1].lower()}": {
                "BACKEND": backend,
                "NAME": name,
                "OPTIONS": {"DIRECTORY": str(self.provider.directory)},
                **method,
            }
            for name, backend in zip(names, backends, strict=False)
        }
        self.checkout_settings.set("STORES.live.METHODS", methods)

    def session(self, *, language: str = "en", **order: Any) -> StandInSession:
        """An order of a line of each kind, unless said otherwise."""
        return self.snipcart.session(
            **{"amount": TOTAL, "currency": "EUR", "items": LINES, "language": language, **order}
        )

    def checkout(self, session: StandInSession, method: str = "acme_card", **query: str) -> str:
        """The address of the page of an order, or of the choice of methods where ``method`` is empty."""
        kwargs = {"store": "live", **({"method": method} if method else {})}
        path = reverse("snipcart_checkout:checkout", kwargs=kwargs)
        return f"{self.url}{path}?{urlencode({'publicToken': session.public_token, **query})}"

    def status(self, payment: Payment) -> str:
        """The address of the page of a payment."""
        return self.url + reverse("snipcart_checkout:payment", args=[payment.reference])

    def payment(self, state: str, *, language: str = "en", **columns: Any) -> Payment:
        """A row of the ledger."""
        live = state not in {"declined", "abandoned", "review"}
        session_id = columns.pop("session_id", uuid.uuid4().hex)
        key = session_key("live", session_id)
        row: Payment = Payment.objects.create(
            **{
                "store": "live",
                "method": "acme_card",
                "session_id": session_id,
                "session_key": key,
                "live_key": key if live else None,
                "state": state,
                "minor_units": 9012,
                "currency": "EUR",
                "language": language,
                "capability_hash": uuid.uuid4().hex,
                "cart_url": BACK_URL,
                "captured_at": timezone.now() if state == "paid" else None,
                "captured_minor_units": 9012 if state == "paid" else None,
                "captured_currency": "EUR" if state == "paid" else "",
                **columns,
            }
        )
        return row


Go = Callable[[Site, Page, str], object]
Browse = Callable[..., Page]
"""Opens a page in a browser; see the fixture of this name."""


def press_pay(page: Page) -> None:
    """Press the button that pays, and wait for what it leads to."""
    with page.expect_navigation():
        page.locator(".sc-form button").first.click()


def _checkout(site: Site, page: Page, language: str) -> None:
    page.goto(site.checkout(site.session(language=language)))


def _choice(site: Site, page: Page, language: str) -> None:
    site.use(*["tests.support.backends.ScriptedBackend"] * 3)
    page.goto(site.checkout(site.session(language=language), method=""))


def _form(site: Site, page: Page, language: str) -> None:
    site.use("tests.support.browser_forms.FormBackend", "tests.support.backends.ScriptedBackend")
    page.goto(site.checkout(site.session(language=language)))


def _form_errors(site: Site, page: Page, language: str) -> None:
    _form(site, page, language)
    page.get_by_label("Customer number").fill("twelve")
    press_pay(page)


def _declined(site: Site, page: Page, language: str) -> None:
    site.use(*["tests.support.backends.ScriptedBackend"] * 2)
    site.provider.script(charge="declined", code="insufficient_funds")
    page.goto(site.checkout(site.session(language=language)))
    press_pay(page)


def _changed(site: Site, page: Page, language: str) -> None:
    session = site.session(language=language)
    page.goto(site.checkout(session))
    site.snipcart.change(session, amount="99.12")
    press_pay(page)


def _limit(site: Site, page: Page, language: str) -> None:
    session = site.session(language=language)
    for _ in range(10):
        site.payment("declined", session_id=session.id, decline_code="declined")
    page.goto(site.checkout(session))


def _no_token(site: Site, page: Page, language: str) -> None:
    site.settings.LANGUAGE_CODE = language
    page.goto(f"{site.url}{reverse('snipcart_checkout:checkout')}")


def _expired(site: Site, page: Page, language: str) -> None:
    site.settings.LANGUAGE_CODE = language
    session = site.session(language=language)
    site.snipcart.expire(session)
    page.goto(site.checkout(session))


def _not_found(site: Site, page: Page, language: str) -> None:
    site.settings.LANGUAGE_CODE = language
    page.goto(f"{site.url}{reverse('snipcart_checkout:payment', args=[uuid.uuid4()])}")


def _wrong_method(site: Site, page: Page, language: str) -> None:
    site.use("tests.support.backends.ScriptedBackend", MIN_AMOUNT="1000")
    page.goto(site.checkout(site.session(language=language)))


def _unavailable(site: Site, page: Page, language: str) -> None:
    site.settings.LANGUAGE_CODE = language
    site.snipcart.fail("payment-session", 500, times=None)
    page.goto(site.checkout(site.session(language=language)))


def _ledger(state: str, **columns: Any) -> Go:
    return lambda site, page, language: page.goto(
        site.status(site.payment(state, language=language, **columns))
    )


STATES: Final[dict[str, Go]] = {
    "checkout": _checkout,
    "choice": _choice,
    "form": _form,
    "form-errors": _form_errors,
    "declined": _declined,
    "changed": _changed,
    "limit": _limit,
    "no-token": _no_token,
    "expired": _expired,
    "not-found": _not_found,
    "wrong-method": _wrong_method,
    "unavailable": _unavailable,
    "pending": _ledger("charging"),
    # The provider was asked a moment ago, and is not asked again.
    "detour": _ledger(
        "pending",
        redirect_url=f"{PROVIDER_ORIGIN}/pay/1",
        redirect_ended=True,
        polled_at=datetime(2100, 1, 1, tzinfo=UTC),
    ),
    "instructions": _ledger("pending", instructions=INSTRUCTIONS, order_url=f"{SHOP}/order"),
    "waiting": _ledger("pending"),
    "done": _ledger("paid", instructions="Have a nice day.", order_url=f"{SHOP}/order"),
    "refused": _ledger("declined", decline_code="expired"),
    "abandoned": _ledger("abandoned"),
    "review": _ledger("review", review_reason="outcome_unknown"),
}
"""How to get to each state of each page, in a language."""


def answer_for_others(context: BrowserContext) -> None:
    """Play the shop, the provider and a host of icons, which the browser must be able to reach."""

    def page_of(route: Route) -> None:
        where = route.request.url.split("/")[2]
        route.fulfill(content_type="text/html", body=f"<!doctype html><title>{where}</title><h1>{where}</h1>")

    context.route(f"{SHOP}/**", page_of)
    context.route(f"{PROVIDER_ORIGIN}/**", page_of)
    context.route(
        "https://icons.example/**",
        lambda route: route.fulfill(
            content_type="image/svg+xml",
            body='<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 26"><rect width="40" height="26" rx="4" fill="#246"/></svg>',
        ),
    )
