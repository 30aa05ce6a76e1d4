"""The merchant's dashboard at Snipcart: orders and refunds, the gateway's configuration, the activity log, and the faults."""

from __future__ import annotations

from dataclasses import replace

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from snipcart_checkout.sandbox.activity import clear_log, log_activity, read_log, read_log_by_order
from snipcart_checkout.sandbox.carts import Cart
from snipcart_checkout.sandbox.core.contract import MODES
from snipcart_checkout.sandbox.core.faults import PLACES
from snipcart_checkout.sandbox.fault_scenarios import SCENARIOS
from snipcart_checkout.sandbox.forms import FaultForm, GatewayForm, RefundForm
from snipcart_checkout.sandbox.gateway import get_gateway_mode, regenerate_key, set_payment_methods_url
from snipcart_checkout.sandbox.merchant import request_refund
from snipcart_checkout.sandbox.pages import LANGUAGES, page, render_page, root_url
from snipcart_checkout.sandbox.shop import send_to_checkout
from snipcart_checkout.sandbox.snipcart import SandboxSession, get_cart, get_snipcart

_MAX_LISTED = 100


@page
@require_GET
def orders(request: HttpRequest, cart: Cart) -> HttpResponse:
    """List every payment session, the latest first."""
    return render_page(request, "orders.html", cart, sessions=_latest_sessions())


@page
@require_http_methods(["GET", "HEAD", "POST"])
def order(request: HttpRequest, cart: Cart, session_id: str) -> HttpResponse:
    """Show one order with its activity log; POST refunds."""
    session = _session_or_404(session_id)
    if request.method != "POST":
        return _show_order(request, cart, session, RefundForm(session=session))
    form = RefundForm(request.POST, session=session)
    if not session.refund_url or not form.is_valid():
        return _show_order(request, cart, session, form, status=400)
    request_refund(session, form.cleaned_data["amount"])
    return redirect(_order_path(session) + "#refunds")


def _show_order(
    request: HttpRequest, cart: Cart, session: SandboxSession, form: RefundForm, status: int = 200
) -> HttpResponse:
    return render_page(
        request,
        "dashboard_order.html",
        cart,
        status=status,
        session=session,
        invoice=session.invoice,
        form=form,
        fault_form=FaultForm(sessions=_latest_sessions(), initial={"session_id": session.id}),
        entries=read_log(session.id),
    )


@page
@require_POST
def change_order(request: HttpRequest, cart: Cart, session_id: str) -> HttpResponse:
    """Do to an order what shoppers and time do."""
    session = _session_or_404(session_id)
    snipcart = get_snipcart()
    match request.POST.get("do"):
        case "cart" if not session.is_order:
            snipcart.add_to_cart(session)
            log_activity("cart_changed", session)
        case "expire":
            snipcart.expire(session)
            log_activity("session_expired", session)
        case "revive":
            snipcart.revive(session)
            log_activity("session_revived", session)
        case "checkout" if session.checkout_url:
            return send_to_checkout(session)
        case "second_session" if shared := get_cart(session.cart_id):
            session = snipcart.open_another_session(shared, root_url(request), like=session)
            log_activity("session_opened", session)
    return redirect(_order_path(session))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def activity(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show everything that happened, by order, the one with the latest event first; POST forgets it."""
    if request.method == "POST":
        clear_log()
        return redirect("snipcart_sandbox:activity")
    groups = [
        {"session": get_snipcart().get_session(identifier), "entries": entries}
        for identifier, entries in read_log_by_order().items()
    ]
    return render_page(request, "activity.html", cart, groups=groups)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def faults(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show the scenarios, and the switches that are on; POST begins a scenario, or switches one on, or one or all off."""
    injection = get_snipcart().faults
    form = FaultForm(request.POST if "fault" in request.POST else None, sessions=_latest_sessions())
    if request.method != "POST" or (form.is_bound and not form.is_valid()):
        status = 400 if form.is_bound else 200
        return _show_faults(request, cart, form, status)
    if form.is_bound:
        form.plan(injection)
    elif scenario := SCENARIOS.get(request.POST.get("scenario", "")):
        scenario.begin(injection)
    else:
        injection.cancel(request.POST.get("off", ""))
    return redirect(_safe_next(request, reverse("snipcart_sandbox:faults")))


def _show_faults(request: HttpRequest, cart: Cart, form: FaultForm, status: int) -> HttpResponse:
    snipcart = get_snipcart()
    planned = [
        {
            "planned": one,
            "place": PLACES[one.place],
            "words": one.fault.words,
            "session": snipcart.get_session(one.session_id),
            "nth": one.skip + 1,
        }
        for one in snipcart.faults.planned
    ]
    return render_page(
        request, "faults.html", cart, status=status, form=form, planned=planned, scenarios=SCENARIOS.items()
    )


@page
@require_http_methods(["GET", "HEAD", "POST"])
def gateway(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Show the gateway's configuration; POST writes a payment-methods URL or regenerates a key."""
    form = GatewayForm(request.POST) if request.method == "POST" else None
    mode = request.POST.get("mode", "")
    if mode in MODES and request.POST.get("regenerate") in {"0", "1"}:
        regenerate_key(mode, int(request.POST["regenerate"]))
        log_activity("key_regenerated")
        return redirect("snipcart_sandbox:gateway")
    if form and form.is_valid():
        set_payment_methods_url(mode, form.cleaned_data["payment_methods_url"])
        return redirect("snipcart_sandbox:gateway")
    origin = f"{request.scheme}://{request.get_host()}"
    return render_page(
        request,
        "gateway.html",
        cart,
        status=400 if form else 200,
        modes={mode: get_gateway_mode(mode) for mode in MODES}.items(),
        api=f"{root_url(request)}api",
        public_url=origin + request.META.get("SCRIPT_NAME", "").rstrip("/"),
        host=request.get_host(),
    )


@page
@require_POST
def choose_language(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Change the cart's language, which is that of the pages."""
    language = request.POST.get("language", "")
    if language in LANGUAGES:
        get_snipcart().save_cart(replace(cart, language=language))
    return redirect(_safe_next(request, reverse("snipcart_sandbox:cart")))


def _safe_next(request: HttpRequest, default: str) -> str:
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else default


def _latest_sessions() -> list[SandboxSession]:
    return get_snipcart().sessions[: -_MAX_LISTED - 1 : -1]


def _session_or_404(identifier: str) -> SandboxSession:
    session = get_snipcart().get_session(identifier)
    if session is None:
        raise Http404("There is no such session.")
    return session


def _order_path(session: SandboxSession) -> str:
    return reverse("snipcart_sandbox:order", kwargs={"session_id": session.id})
