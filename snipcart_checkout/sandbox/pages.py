"""The frame around a page: whose cart it is, in which language it speaks, and what the browser may load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.views.decorators.csrf import csrf_protect

from snipcart_checkout.sandbox.carts import Cart, get_cart, new_cart, save_cart
from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.faults import active_faults
from snipcart_checkout.sandbox.guard import View, debug_only
from snipcart_checkout.sandbox.sessions import get_session

__all__ = ["LANGUAGES", "page", "render_page", "root_url"]

LANGUAGES: Final = {"en": "English", "fr": "Français"}
"""The languages that the pages speak; a cart in another one gets English pages."""

_COOKIE: Final = "snipcart_sandbox_cart"


def page(view: Callable[..., HttpResponse]) -> View:
    """Make a page of ``view(request, cart, …)``. The cart's id is in a signed cookie, so that no session is needed."""

    @debug_only
    @csrf_protect
    @wraps(view)
    def framed(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        cart = _open_cart(request)
        with translation.override(_page_language(cart.language)):
            answer = view(request, cart, **kwargs)
        answer.set_signed_cookie(_COOKIE, cart.id, salt=_COOKIE, httponly=True, samesite="Lax")
        answer["Content-Security-Policy"] = _content_security_policy()
        answer["Referrer-Policy"] = "strict-origin"
        return answer

    return framed


def render_page(
    request: HttpRequest, template: str, cart: Cart, *, status: int = 200, **context: Any
) -> HttpResponse:
    """Render a template of the sandbox with what its frame needs."""
    frame = {
        "request": request,
        "cart": cart,
        "page_language": translation.get_language(),
        "languages": LANGUAGES.items(),
        "shop_url": get_settings().shop_url,
        "fault_count": len(active_faults()),
    }
    return render(request, f"snipcart_checkout_sandbox/{template}", {**frame, **context}, status=status)


def root_url(request: HttpRequest) -> str:
    """Return the address under which the shopper sees the sandbox."""
    return request.build_absolute_uri(reverse("snipcart_sandbox:cart"))


def _open_cart(request: HttpRequest) -> Cart:
    """Return the cart named in the address or in the cookie; a new one where that has become an order."""
    known = request.GET.get("cart") or request.get_signed_cookie(_COOKIE, "", salt=_COOKIE)
    cart = get_cart(known) if known else None
    if cart is None:
        cart = new_cart(language=_page_language(translation.get_language_from_request(request)))
        save_cart(cart)
    session = get_session(cart.session_id)
    if session is None or not session.is_order:
        return cart
    again = new_cart(language=cart.language)
    cart = replace(cart, id=again.id, session_id="", quantities={}, coupon="")
    save_cart(cart)
    return cart


def _page_language(code: str) -> str:
    base = code.lower().partition("-")[0]
    return base if base in LANGUAGES else "en"


def _content_security_policy() -> str:
    origin = urlsplit(static("snipcart_checkout_sandbox/sandbox.css"))
    styles = f"{origin.scheme}://{origin.netloc}" if origin.netloc else "'self'"
    # Icons of payment methods come from wherever the merchant keeps them.
    pictures = "'self' https: http://127.0.0.1:* http://localhost:*"
    return (
        f"default-src 'none'; style-src {styles}; img-src {pictures}; base-uri 'none'; frame-ancestors 'none'"
    )
