"""The frame around a view: it runs with DEBUG only. Around a page: whose cart it is, in which language it speaks, and what the browser may load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from snipcart_checkout.sandbox.carts import Cart, new_cart
from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.snipcart import get_cart, get_snipcart

View = Callable[..., HttpResponse]

LANGUAGES: Final = {"en": "English", "fr": "Français"}
"""The languages that the pages speak; a cart in another one gets English pages."""

_COOKIE: Final = "snipcart_sandbox_cart"


def debug_only(view: View) -> View:
    """Let a view answer 404 with DEBUG off: whoever reaches it could order without paying.

    It is kept out of caches, out of LoginRequiredMiddleware, and out of ATOMIC_REQUESTS, because it waits for the
    server whose database that locks.
    """

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: object) -> HttpResponse:
        if not settings.DEBUG:
            raise Http404("The sandbox runs with DEBUG only.")
        return view(request, **kwargs)

    guarded.login_required = False  # type: ignore[attr-defined]
    for alias in connections:
        guarded = transaction.non_atomic_requests(using=alias)(guarded)
    return guarded


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
        "fault_count": len(get_snipcart().faults.planned),
    }
    return render(request, f"snipcart_checkout_sandbox/{template}", {**frame, **context}, status=status)


def root_url(request: HttpRequest) -> str:
    """Return the address under which the shopper sees the sandbox."""
    return request.build_absolute_uri(reverse("snipcart_sandbox:cart"))


def _open_cart(request: HttpRequest) -> Cart:
    """Return the cart named in the address or in the cookie; a new one where that has become an order."""
    cart_id = request.GET.get("cart") or request.get_signed_cookie(_COOKIE, "", salt=_COOKIE)
    snipcart = get_snipcart()
    cart = get_cart(cart_id) if cart_id else None
    if cart is None:
        cart = new_cart(language=_page_language(translation.get_language_from_request(request)))
        snipcart.save_cart(cart)
    if snipcart.is_ordered(cart):
        again = new_cart(language=cart.language)
        cart = replace(cart, id=again.id, session_ids=(), quantities={}, coupon="")
        snipcart.save_cart(cart)
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
