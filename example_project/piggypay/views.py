"""PiggyPay's side: an API for shops, a page for payers, and an office in which payments arrive late."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import requests
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from example_project.piggypay import account
from example_project.piggypay.models import Order, Return
from example_project.piggypay.signing import sign

TIMEOUT = (3.05, 10)


def _is_known(request: HttpRequest) -> bool:
    sent = request.headers.get("Authorization", "")
    return constant_time_compare(sent, f"Bearer {account.API_KEY}")


@csrf_exempt
@require_POST
def open_order(request: HttpRequest) -> HttpResponse:
    """Open an order; the same reference gives the same order, with another amount a conflict."""
    if not _is_known(request):
        return JsonResponse({"error": "unknown key"}, status=401)
    asked = json.loads(request.body)
    order, _new = Order.objects.get_or_create(
        reference=asked["reference"],
        defaults={name: asked[name] for name in ("amount", "currency", "return_url", "notification_url")},
    )
    if (order.amount, order.currency) != (asked["amount"], asked["currency"]):
        return JsonResponse({"error": "the reference belongs to another amount"}, status=409)
    return JsonResponse(_described(request, order))


@require_GET
def read_order(request: HttpRequest, reference: str) -> HttpResponse:
    """Tell what is known of a shop's reference."""
    if not _is_known(request):
        return JsonResponse({"error": "unknown key"}, status=401)
    order = Order.objects.filter(reference=reference).first()
    return JsonResponse(_described(request, order) if order else {}, status=200 if order else 404)


def _described(request: HttpRequest, order: Order) -> dict[str, Any]:
    return {
        "id": str(order.id),
        "state": order.state,
        "amount": order.amount,
        "currency": order.currency,
        "pay_url": request.build_absolute_uri(reverse("piggypay:pay", kwargs={"order_id": order.id})),
    }


@csrf_exempt
@require_POST
def return_money(request: HttpRequest, reference: str) -> HttpResponse:
    """Give money back, once per reference and never more than was paid."""
    if not _is_known(request):
        return JsonResponse({"error": "unknown key"}, status=401)
    asked = json.loads(request.body)
    with transaction.atomic():
        order = get_object_or_404(Order.objects.select_for_update(), reference=reference)
        earlier = Return.objects.filter(order=order)
        done = earlier.filter(reference=asked["reference"]).exists()
        returned = sum(earlier.values_list("amount", flat=True))
        if not done and (order.state != Order.State.PAID or returned + asked["amount"] > order.amount):
            return JsonResponse({"error": "too much"}, status=409)
        if not done:
            Return.objects.create(reference=asked["reference"], order=order, amount=asked["amount"])
    return JsonResponse({"id": f"back-{asked['reference']}"})


@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Let the payer decide, and lead back to the shop; unless the window is closed."""
    order = get_object_or_404(Order, pk=order_id)
    if request.method != "POST":
        return render(request, "piggypay/pay.html", {"order": order})
    decision = request.POST.get("decision", "")
    if decision == "close":
        _decide(order, "approve")
        return render(request, "piggypay/closed.html", {"order": order})
    if decision in {"approve", "decline"}:
        _decide(order, decision)
        _notify(order)
    return HttpResponseRedirect(order.return_url, status=303)


@require_http_methods(["GET", "HEAD", "POST"])
def office(request: HttpRequest) -> HttpResponse:
    """List the orders; POST decides one that was left open, or sends its notification (again)."""
    if request.method != "POST":
        return render(request, "piggypay/office.html", {"orders": Order.objects.all()[:20]})
    order = get_object_or_404(Order, pk=request.POST.get("order"))
    _decide(order, request.POST.get("decision", ""))
    _notify(order)
    return redirect("piggypay:office")


def _decide(order: Order, decision: str) -> None:
    states = {"approve": Order.State.PAID, "decline": Order.State.DECLINED}
    if decision in states:
        # What is decided stays decided, whoever else clicks.
        Order.objects.filter(pk=order.pk, state=Order.State.OPEN).update(state=states[decision])
        order.refresh_from_db()


def _notify(order: Order) -> None:
    body = json.dumps({"reference": order.reference, "state": order.state}).encode()
    headers = {
        "Content-Type": "application/json",
        "PiggyPay-Signature": sign(account.NOTIFICATION_SECRET, body),
    }
    try:
        answer = requests.post(
            order.notification_url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
        notified = f"HTTP {answer.status_code}"
    except requests.RequestException as error:
        notified = type(error).__name__
    Order.objects.filter(pk=order.pk).update(notified=notified)
