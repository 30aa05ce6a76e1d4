"""People at the admin's desk: who they are, where they look, and what they press."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import pay
from tests.test_views import fields_of

LIST = "/admin/snipcart_checkout/payment/"
EXPORT = f"{LIST}export/"
TOTALS = f"{LIST}totals/"
REFUNDS = "/admin/snipcart_checkout/refund/"

Staff = Callable[..., Client]


@pytest.fixture
def staff() -> Staff:
    """Log somebody in who holds the permissions given, besides seeing the ledger."""

    def log_in(*permissions: str, name: str = "ada", views: bool = True) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(create_staff(*permissions, name=name, views=views))
        return client

    return log_in


@pytest.fixture
def boss() -> Client:
    """Log somebody in who may do everything."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss"))
    return client


def create_staff(*permissions: str, name: str, views: bool = True) -> User:
    """A member of staff with these permissions, who may look at the ledger unless said otherwise."""
    user = User.objects.create_user(name, is_staff=True)
    views_of = ("view_payment", "view_confirmation", "view_refund") if views else ()
    names = {*permissions, *views_of}
    granted = Permission.objects.filter(content_type__app_label="snipcart_checkout", codename__in=names)
    assert len(granted) == len(names)
    user.user_permissions.set(granted)
    return user


def page_of(row: Payment | Refund | Confirmation) -> str:
    """The address of a row's page."""
    return reverse(f"admin:snipcart_checkout_{row._meta.model_name}_change", args=[row.pk])


def listed(client: Client, url: str = LIST, **query: str) -> list[UUID]:
    """The keys of the rows that a list shows."""
    return [row.pk for row in client.get(url, query).context["cl"].result_list]


def act(client: Client, action: str, *rows: Payment | Refund, **answers: str) -> str:
    """Do an action with what its page asks, and return what staff are told."""
    return told(press(client, open_page(client, action, *rows), **answers))


def act_url(action: str, *rows: Payment | Refund) -> str:
    """The address of the page that asks about an action."""
    query = "&".join(f"row={row.pk}" for row in rows)
    return f"/admin/snipcart_checkout/{rows[0]._meta.model_name}/act/{action}/?{query}"


def open_page(client: Client, action: str, *rows: Payment | Refund) -> Any:
    """Open the page that asks about an action."""
    return client.get(act_url(action, *rows))


def press(client: Client, page: Any, **answers: str) -> Any:
    """Send the form of an action's page, and follow to the page with the result."""
    assert page.status_code == 200, page
    rows = [str(row.pk) for row in page.context["form"].rows]
    data = {**fields_of(page), "row": rows, **answers}
    return client.post(page.context["action_url"], data, follow=True)


def told(response: Any) -> str:
    """What staff are told above a page."""
    return " ".join(str(message) for message in response.context["messages"])


def await_money(provider: Provider, snipcart: StandIn, **invoice: Any) -> Payment:
    """A payment that is pending at its provider."""
    provider.script(charge="pending")
    payment = pay(snipcart, **invoice)
    provider.script()
    return payment


def row(**columns: Any) -> Payment:
    """A paid payment in the ledger, as it may have come about."""
    key = uuid.uuid4().hex
    state = columns.get("state", "paid")
    amount, currency = columns.get("minor_units", 4250), columns.get("currency", "EUR")
    paid = {"captured_minor_units": amount, "captured_currency": currency, "captured_at": timezone.now()}
    made: Payment = Payment.objects.create(
        **{
            "store": "live",
            "method": "acme_card",
            "session_id": key,
            "session_key": key,
            "live_key": key if state not in {"declined", "abandoned", "review"} else None,
            "state": state,
            "minor_units": amount,
            "currency": currency,
            "language": "en",
            "capability_hash": key,
            **(paid if state == "paid" else {}),
            **columns,
        }
    )
    return made
