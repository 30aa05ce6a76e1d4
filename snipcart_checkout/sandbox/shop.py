"""The shopper's pages: cart, payment step, and what came of the order."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from snipcart_checkout.sandbox.carts import Cart, invoice_of, save_cart
from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.forms import CartForm
from snipcart_checkout.sandbox.gateway import get_half
from snipcart_checkout.sandbox.merchant import Offer, ask_methods
from snipcart_checkout.sandbox.pages import page, render_page, root_url
from snipcart_checkout.sandbox.sessions import Session, change_session, get_order, open_session
from snipcart_checkout.sandbox.story import tell
from snipcart_checkout.sandbox.tokens import Token, issue_token

__all__ = ["cart_page", "order_page", "payment_step"]


@page
@require_http_methods(["GET", "HEAD", "POST"])
def cart_page(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show the cart; take what was changed in it, and go on to the payment when asked to."""
    if request.method != "POST":
        return _show_cart(request, cart, CartForm(cart=cart))
    if "mode" not in request.POST:
        save_cart(_with_one_more(cart, request.POST.get("add", "")))
        return redirect("snipcart_sandbox:cart")
    form = CartForm(request.POST, cart=cart)
    if not form.is_valid():
        return _show_cart(request, cart, form, status=400)
    changed = _with_one_more(form.changed_cart(), request.POST.get("add", ""))
    save_cart(changed)
    pays = request.POST.get("do") == "pay" and changed.count
    return redirect("snipcart_sandbox:payment" if pays else "snipcart_sandbox:cart")


def _show_cart(request: HttpRequest, cart: Cart, form: CartForm, status: int = 200) -> HttpResponse:
    products = [
        {
            "product": product,
            "name": product.name(cart.language),
            "price": product.prices[cart.currency],
            "field": form[f"quantity_{product.id}"],
        }
        for product in get_settings().products.values()
        if cart.currency in product.prices
    ]
    invoice = invoice_of(cart)
    return render_page(
        request, "cart.html", cart, status=status, form=form, products=products, invoice=invoice
    )


def _with_one_more(cart: Cart, product: str) -> Cart:
    if product not in get_settings().products:
        return cart
    return replace(cart, quantities={**cart.quantities, product: cart.quantities.get(product, 0) + 1})


@page
@require_http_methods(["GET", "HEAD", "POST"])
def payment_step(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Ask the merchant how the order can be paid; send the shopper to the checkout page of the chosen method."""
    if not cart.count:
        return redirect("snipcart_sandbox:cart")
    session = open_session(cart, root_url(request))
    if request.method == "POST":
        return _leave(session, request.POST.get("method", ""))
    offer = _ask(request, cart, session)
    change_session(session.id, offered=tuple(offer.methods))
    return render_page(
        request,
        "payment.html",
        cart,
        offer=offer,
        session=session,
        invoice=invoice_of(cart),
        half=get_half(cart.mode),
    )


def _ask(request: HttpRequest, cart: Cart, session: Session) -> Offer:
    url = get_half(cart.mode).payment_methods_url
    if not url:
        return Offer(explanation=_("Nobody has told Snipcart yet where to ask for payment methods."))
    # A path is a short way to say: on this very server.
    return ask_methods(session, invoice_of(cart), request.build_absolute_uri(url), cart.webhook_style)


def _leave(session: Session, method_id: str) -> HttpResponse:
    method = next((method for method in session.offered if method["id"] == method_id), None)
    if method is None:
        return redirect("snipcart_sandbox:payment")
    change_session(session.id, method=method_id)
    tell("shopper_left", session_id=session.id, number=session.number, method=method["name"])
    # A new token, not the one of the webhook; whatever the merchant put into the query stays.
    token = issue_token(Token(purpose="public", session_id=session.id, mode=session.mode))
    parts = urlsplit(method["checkoutUrl"])
    query = "&".join(filter(None, (parts.query, urlencode({"publicToken": token}))))
    return HttpResponseRedirect(urlunsplit(parts._replace(query=query)), status=303)


@page
@require_GET
def order_page(request: HttpRequest, cart: Cart, key: str) -> HttpResponse:
    """Show what came of an order: it is the ``returnUrl`` after every confirmation, a failure too."""
    session = get_order(key)
    if session is None or not session.state:
        raise Http404("There is no such order.")
    tell("shopper_confirmed", session_id=session.id, number=session.number)
    return render_page(request, "order.html", cart, session=session, invoice=session.current_invoice)
