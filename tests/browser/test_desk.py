"""The desk in a browser: what axe finds, and that every page fits its window."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page

from snipcart_checkout import services
from snipcart_checkout.models import Event, Payment, Refund
from tests.support.barriers import barriers, barriers_of_colour
from tests.support.browser_site import Browse, Site
from tests.support.desk import LIST, REFUNDS, TOTALS, act_url, page_of, row

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ledger(site: Site) -> list[Payment]:
    """A payment in each state, with what may belong to one."""
    site.use("tests.support.backends.ScriptedBackend")
    payments = [
        # As long as Snipcart's are: links are looked at where text stands beside them.
        row(
            state=state,
            cart_id=str(uuid.uuid4()),
            review_reason="order_changed" if state == "review" else "",
        )
        for state in Payment.State.values
    ]
    paid = next(payment for payment in payments if payment.state == "paid")
    paid.confirmations.create(
        session_key=paid.session_key, outcome="processed", status="delivered", body="{}"
    )
    for state in Refund.State.values:
        Refund.objects.create(payment=paid, minor_units=100, state=state, requested_by="ada")
    for name, data in (("paid", {}), ("notification", {"result": "refused"})):
        Event.objects.create(payment=paid, name=name, source="provider", data=data)
    return payments


def addresses(ledger: list[Payment]) -> Iterator[str]:
    """Every kind of page of the desk."""
    by_state = {payment.state: payment for payment in ledger}
    paid, pending, review = (by_state[state] for state in ("paid", "pending", "review"))
    unknown = paid.refunds.get(state="unknown")
    marked = services.mark_given_back(paid, 100, by="ada")
    assert marked is not None
    yield from (LIST, f"{LIST}?q=nothing", f"{LIST}?state__exact=paid&q=42.50", TOTALS, REFUNDS)
    yield "/admin/snipcart_checkout/confirmation/"
    yield from (page_of(found) for found in (paid, pending, review, unknown, paid.confirmations.get()))
    yield act_url("mark_received", pending)
    yield act_url("mark_expired", pending)
    yield act_url("refund", paid)
    yield act_url("mark_given_back", paid)
    yield act_url("resolve_review", review)
    yield act_url("resolve_refund", unknown)
    yield act_url("undo_given_back", marked)


def log_in(page: Page, url: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    name = django_settings.SESSION_COOKIE_NAME
    cookie: Any = {"name": name, "value": client.cookies[name].value, "url": url}
    page.context.add_cookies([cookie])


def test_a_reference_is_not_broken_over_lines(site: Site, browse: Browse, ledger: list[Payment]) -> None:
    page = browse(viewport={"width": 1024, "height": 800})
    log_in(page, site.url)

    for address, column in ((LIST, ".field-short a"), (REFUNDS, ".field-of_payment a")):
        page.goto(site.url + address)
        references = page.locator(column).all()
        assert references
        for reference in references:
            assert reference.evaluate("one => one.getClientRects().length") == 1


def test_axe_finds_nothing_at_the_desk(site: Site, browse: Browse, ledger: list[Payment]) -> None:
    page = browse()
    log_in(page, site.url)
    found = []

    for address in addresses(ledger):
        page.emulate_media(color_scheme="light")
        page.goto(site.url + address)
        found += barriers(page)
        # Anew, because the admin's colours change slowly.
        page.emulate_media(color_scheme="dark")
        page.goto(site.url + address)
        found += barriers_of_colour(page)

    assert found == []


def test_the_desk_fits_a_telephone(site: Site, browse: Browse, ledger: list[Payment]) -> None:
    page = browse(viewport={"width": 390, "height": 844})
    log_in(page, site.url)

    for address in addresses(ledger):
        page.goto(site.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, (address, width)
