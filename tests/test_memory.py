"""What a worker keeps in memory of an order once its page is sent: nothing, not even until the garbage collector comes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.template import RequestContext
from django.test import Client

from snipcart_checkout.snipcart import PaymentSession
from snipcart_checkout.testing import StandIn
from snipcart_checkout.views.checkout import CheckoutView
from snipcart_checkout.views.payment import PaymentView
from tests.support.backends import Provider
from tests.support.ledger import pay, provider

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

PAGE = "/checkout/live/methods/acme_card/"
SECRET = "a" * 32
# Not the request: the middleware for messages ties it to itself on any site.
OF_AN_ORDER = (PaymentSession, RequestContext, CheckoutView, PaymentView)


def send(path: str, method: str = "GET", **fields: str) -> int:
    """Send a request as a server does, which the test client does not: it keeps every page with its context."""
    query, body = (urlencode(fields), b"") if method != "POST" else ("", urlencode(fields).encode())
    path, _, given = path.partition("?")
    request = WSGIRequest(
        {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": given or query,
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "http",
            "HTTP_COOKIE": f"csrftoken={SECRET}",
        }
    )
    return WSGIHandler().get_response(request).status_code


@contextmanager
def collector_waiting() -> Iterator[Callable[[], list[str]]]:
    """Yields a function that names what has come into being of an order since then, and is still there."""
    gc.disable()
    gc.freeze()  # what there is already is not looked at any more
    try:
        yield lambda: [type(one).__name__ for one in gc.get_objects() if isinstance(one, OF_AN_ORDER)]
    finally:
        gc.enable()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_of_an_order_stays_when_its_page_is_sent(
    provider: Provider, snipcart: StandIn, method: str
) -> None:
    token = snipcart.session().public_token
    send(PAGE, method, publicToken=token)

    with collector_waiting() as left:
        assert send(PAGE, method, publicToken=token) == 200
        assert left() == []


def test_nothing_stays_of_an_order_that_cannot_be_shown(provider: Provider, snipcart: StandIn) -> None:
    token = snipcart.session().public_token
    with collector_waiting() as left:
        assert send("/checkout/live/methods/no_such/", publicToken=token) == 410
        assert send(PAGE, publicToken="no-token") == 410
        assert left() == []


@pytest.mark.parametrize("charge", ["paid", "declined", "pending"])
def test_nothing_stays_of_an_order_that_was_paid_or_declined(
    provider: Provider, snipcart: StandIn, charge: str
) -> None:
    provider.script(charge=charge)
    token = snipcart.session().public_token
    shown = shown_by(Client().get(PAGE, {"publicToken": token}))

    with collector_waiting() as left:
        status = send(PAGE, "POST", publicToken=token, shown=shown, csrfmiddlewaretoken=SECRET)
        assert status == (402 if charge == "declined" else 303)
        assert left() == []


@pytest.mark.parametrize("charge", ["paid", "pending"])
def test_nothing_stays_of_a_payment_whose_page_was_sent(
    provider: Provider, snipcart: StandIn, charge: str
) -> None:
    provider.script(charge=charge)
    address = f"/checkout/payments/{pay(snipcart).reference}/"
    send(address)

    with collector_waiting() as left:
        assert send(address) == 200
        assert left() == []


def shown_by(page: Any) -> str:
    shown: str = page.context["shown"]
    return shown


def test_an_order_that_stayed_would_be_noticed() -> None:
    with collector_waiting() as left:
        session = PaymentSession.from_json({"id": "abc", "invoice": {"amount": 1, "currency": "eur"}})
        session.__dict__["itself"] = session
        del session
        assert left() == ["PaymentSession"]
