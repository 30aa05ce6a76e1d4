"""The merchant's dashboard at Snipcart: orders and refunds, the gateway's configuration, the story, and the faults."""

from __future__ import annotations

from dataclasses import replace

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from snipcart_checkout.sandbox.carts import Cart, add_one_more, save_cart
from snipcart_checkout.sandbox.contract import MODES
from snipcart_checkout.sandbox.faults import CALLS, KINDS, active_faults, switch_off, switch_on
from snipcart_checkout.sandbox.forms import FaultForm, GatewayForm, RefundForm
from snipcart_checkout.sandbox.gateway import get_half, regenerate_key, set_payment_methods_url
from snipcart_checkout.sandbox.merchant import ask_refund
from snipcart_checkout.sandbox.pages import LANGUAGES, page, render_page
from snipcart_checkout.sandbox.sessions import Session, change_session, get_session, list_sessions
from snipcart_checkout.sandbox.story import clear_story, read_story, tell

__all__ = ["change_order", "choose_language", "faults", "gateway", "order", "orders", "story"]


@page
@require_GET
def orders(request: HttpRequest, cart: Cart) -> HttpResponse:
    """List every payment session, the latest first."""
    return render_page(request, "orders.html", cart, sessions=list_sessions())


@page
@require_http_methods(["GET", "HEAD", "POST"])
def order(request: HttpRequest, cart: Cart, session_id: str) -> HttpResponse:
    """Show one order with its story; POST refunds."""
    session = _session_or_404(session_id)
    if request.method != "POST":
        return _show_order(request, cart, session, RefundForm(session=session))
    form = RefundForm(request.POST, session=session)
    if not session.refund_url or not form.is_valid():
        return _show_order(request, cart, session, form, status=400)
    ask_refund(session, form.cleaned_data["amount"])
    return redirect(_order_path(session) + "#refunds")


def _show_order(
    request: HttpRequest, cart: Cart, session: Session, form: RefundForm, status: int = 200
) -> HttpResponse:
    return render_page(
        request,
        "dashboard_order.html",
        cart,
        status=status,
        session=session,
        invoice=session.current_invoice,
        form=form,
        fault_form=FaultForm(sessions=list_sessions(), initial={"session_id": session.id}),
        story=read_story(session.id),
    )


@page
@require_POST
def change_order(request: HttpRequest, cart: Cart, session_id: str) -> HttpResponse:
    """Do to an order what shoppers and time do: ``cart`` changes its cart, ``expire`` ends its session."""
    session = _session_or_404(session_id)
    if request.POST.get("do") == "cart" and not session.is_order:
        add_one_more(session.cart_id)
        tell("cart_changed", session_id=session.id, number=session.number)
    if request.POST.get("do") == "expire":
        change_session(session.id, expired=True)
        tell("session_expired", session_id=session.id, number=session.number)
    return redirect(_order_path(session))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def story(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show everything that happened, the latest first; POST forgets it."""
    if request.method == "POST":
        clear_story()
        return redirect("snipcart_sandbox:story")
    return render_page(request, "story.html", cart, story=read_story()[::-1])


@page
@require_http_methods(["GET", "HEAD", "POST"])
def faults(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show the switches that are on; POST switches one on, or one or all off."""
    form = FaultForm(request.POST if "fault" in request.POST else None, sessions=list_sessions())
    if request.method != "POST" or (form.is_bound and not form.is_valid()):
        status = 400 if form.is_bound else 200
        return render_page(request, "faults.html", cart, status=status, form=form, faults=_described_faults())
    if form.is_bound:
        call, kind = form.cleaned_data["fault"].split(":")
        switch_on(call, kind, session_id=form.cleaned_data["session_id"], once=form.cleaned_data["once"])
    else:
        switch_off(request.POST.get("off", ""))
    return redirect(_safe_next(request, reverse("snipcart_sandbox:faults")))


def _described_faults() -> list[dict[str, object]]:
    return [
        {
            "fault": fault,
            "call": CALLS[fault.call],
            "kind": KINDS[fault.kind],
            "session": get_session(fault.session_id),
        }
        for fault in active_faults()
    ]


@page
@require_http_methods(["GET", "HEAD", "POST"])
def gateway(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show the gateway's configuration; POST writes a payment-methods URL or regenerates a key."""
    form = GatewayForm(request.POST) if request.method == "POST" else None
    mode = request.POST.get("mode", "")
    if mode in MODES and request.POST.get("regenerate") in {"0", "1"}:
        regenerate_key(mode, int(request.POST["regenerate"]))
        tell("key_regenerated")
        return redirect("snipcart_sandbox:gateway")
    if form and form.is_valid():
        set_payment_methods_url(mode, form.cleaned_data["payment_methods_url"])
        return redirect("snipcart_sandbox:gateway")
    halves = [{"mode": mode, "half": get_half(mode)} for mode in MODES]
    context = {
        "halves": halves,
        "api": request.build_absolute_uri(reverse("snipcart_sandbox:cart")) + "api",
        "origin": f"{request.scheme}://{request.get_host()}",
        "host": request.get_host(),
        "form": form,
    }
    return render_page(request, "gateway.html", cart, status=400 if form else 200, **context)


@page
@require_POST
def choose_language(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Change the cart's language, which is that of the pages."""
    language = request.POST.get("language", "")
    if language in LANGUAGES:
        save_cart(replace(cart, language=language))
    return redirect(_safe_next(request, reverse("snipcart_sandbox:cart")))


def _safe_next(request: HttpRequest, default: str) -> str:
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else default


def _session_or_404(identifier: str) -> Session:
    session = get_session(identifier)
    if session is None:
        raise Http404("There is no such session.")
    return session


def _order_path(session: Session) -> str:
    return reverse("snipcart_sandbox:order", kwargs={"session_id": session.id})
