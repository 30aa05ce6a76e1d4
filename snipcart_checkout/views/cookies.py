"""What one browser may do on the page of a payment that another may not: go back to the order, and stay.

The page of a payment knows only the reference, which may be passed on, so it must not lead to the order by itself. A
cookie that only the pages of this one payment are sent holds the order's token instead. Without it the way
leads over the cart.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import TokenMalformed
from snipcart_checkout.models import Payment
from snipcart_checkout.snipcart import check_public_token

_ORDER: Final = "snipcart_checkout_order"
_LEFT: Final = "snipcart_checkout_left"
_FORWARDED: Final = "snipcart_checkout_forwarded"
_SECONDS: Final = 3600
_JUST: Final = timedelta(seconds=30)
# Browsers drop cookies of more than 4096 bytes, name and attributes included.
_LONGEST: Final = 3800


def remember_order(response: HttpResponse, payment: Payment, public_token: str) -> None:
    """Let the browser come back from the page of the payment to that of its order, for an hour."""
    if len(public_token) > _LONGEST:
        return
    _set_cookie(response, payment, _ORDER, public_token)


def _set_cookie(response: HttpResponse, payment: Payment, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=_SECONDS,
        path=reverse("snipcart_checkout:payment", kwargs={"reference": payment.reference}),
        secure=get_settings().public_url.startswith("https:"),
        httponly=True,
        samesite="Lax",
    )


def recall_token(request: HttpRequest) -> str:
    """Return the token of the order that this browser paid; empty where it knows none."""
    try:
        return check_public_token([request.COOKIES.get(_ORDER, "")])
    except TokenMalformed:
        return ""


def note_forwarding(response: HttpResponse, payment: Payment) -> None:
    """Note that the page leads this browser on to the provider."""
    _set_cookie(response, payment, _FORWARDED, "1")


def has_just_agreed(request: HttpRequest, payment: Payment) -> bool:
    """Tell whether this browser agreed to the order a moment ago, and was not led to the provider since."""
    is_new = payment.claimed_at > timezone.now() - _JUST
    return is_new and bool(recall_token(request)) and _FORWARDED not in request.COOKIES


def note_leaving(response: HttpResponse, payment: Payment) -> None:
    """Note that the page leads on to the shop: whoever comes back to it within the hour wants to read it."""
    _set_cookie(response, payment, _LEFT, "1")


def has_left(request: HttpRequest) -> bool:
    """Tell whether the page has led this browser on to the shop before."""
    return _LEFT in request.COOKIES
