"""The shopper's pages: cart, payment step, and what came of the order."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from snipcart_checkout.sandbox.activity import log_activity
from snipcart_checkout.sandbox.carts import Cart, build_invoice
from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.forms import CartForm
from snipcart_checkout.sandbox.gateway import get_gateway_mode
from snipcart_checkout.sandbox.merchant import Offer, request_payment_methods, with_query
from snipcart_checkout.sandbox.pages import page, render_page, root_url
from snipcart_checkout.sandbox.snipcart import SandboxSession, get_snipcart
from snipcart_checkout.sandbox.translation import gettext as _


@page
@require_http_methods(["GET", "HEAD", "POST"])
def cart_page(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show the cart; take what was changed in it, and go on to the payment when asked to."""
    if request.method != "POST":
        return _show_cart(request, cart, CartForm(cart=cart))
    if "mode" not in request.POST:
        return _update_cart(request, cart)
    form = CartForm(request.POST, cart=cart)
    if not form.is_valid():
        return _show_cart(request, cart, form, status=400)
    return _update_cart(request, form.changed_cart())


def _update_cart(request: HttpRequest, cart: Cart) -> HttpResponse:
    added = request.POST.get("add", "")
    if added in get_settings().products:
        cart = cart.with_one_more(added)
    get_snipcart().save_cart(cart)
    pays = request.POST.get("do") == "pay" and cart.count
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
    invoice = build_invoice(cart)
    return render_page(
        request, "cart.html", cart, status=status, form=form, products=products, invoice=invoice
    )


@page
@require_http_methods(["GET", "HEAD", "POST"])
def payment_step(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Ask the merchant how the order can be paid; send the shopper to the checkout page of the chosen method."""
    if not cart.count:
        return redirect("snipcart_sandbox:cart")
    snipcart = get_snipcart()
    session = snipcart.open_session(cart, root_url(request))
    if request.method == "POST":
        return _choose(session, request.POST.get("method", ""))
    offer = _request_methods(request, cart, session)
    session = snipcart.update(session, methods=tuple(offer.methods))
    return render_page(
        request,
        "payment.html",
        cart,
        offer=offer,
        session=session,
        invoice=session.invoice,
        payment_methods_url=get_gateway_mode(cart.mode).payment_methods_url,
    )


def _request_methods(request: HttpRequest, cart: Cart, session: SandboxSession) -> Offer:
    url = get_gateway_mode(cart.mode).payment_methods_url
    if not url:
        return Offer(explanation=_("Snipcart has no payment-methods URL yet."))
    # A path is a short way to say: on this very server, below where it is mounted.
    script_name = request.META.get("SCRIPT_NAME", "").rstrip("/")
    if url.startswith("/") and not url.startswith(f"{script_name}/"):
        url = script_name + url
    return request_payment_methods(session, request.build_absolute_uri(url), cart.webhook_style)


def _choose(session: SandboxSession, method_id: str) -> HttpResponse:
    method = next((method for method in session.methods if method["id"] == method_id), None)
    if method is None:
        return redirect("snipcart_sandbox:payment")
    log_activity("shopper_left", session, method=method["name"])
    return send_to_checkout(get_snipcart().update(session, payment_method=method_id))


def send_to_checkout(session: SandboxSession) -> HttpResponse:
    """Lead to the checkout page of the chosen method with a new token, not the one of the webhook."""
    token = get_snipcart().new_token(session)
    return HttpResponseRedirect(with_query(session.checkout_url, publicToken=token), status=303)


@page
@require_GET
def order_page(request: HttpRequest, cart: Cart, session_id: str) -> HttpResponse:
    """Show what came of an order: it is the ``returnUrl`` after every confirmation, a failure too."""
    session = get_snipcart().get_session(session_id)
    if session is None or not session.state:
        raise Http404("There is no such order.")
    log_activity("order_seen", session)
    return render_page(request, "order.html", cart, session=session, invoice=session.invoice)
