"""The shop's front page, and a few doors that make trying things out pleasant."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.core.management import call_command
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_GET, require_POST

from example_project.shop.models import Sale
from example_project.shop.money import format_money
from example_project.shop.products import PRODUCTS


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show the products and the till."""
    return render(
        request,
        "shop/home.html",
        {
            "products": [_product(key, value) for key, value in PRODUCTS.items()],
            "sales": Sale.objects.all()[:5],
            "is_losing": "lost" in request.GET,
        },
    )


def _product(identifier: str, product: dict[str, Any]) -> dict[str, str]:
    language = get_language() or "en"
    price = format_money(Decimal(product["PRICES"]["EUR"]), "EUR")
    name = product["NAME"][language.partition("-")[0]]
    return {"id": identifier, "name": name, "price": price, "picture": f"shop/{identifier}.svg"}


@require_POST
def switch_theme(request: HttpRequest) -> HttpResponse:
    """Put the shop's theme onto the checkout pages, or take it off, to see both."""
    answer = redirect("home")
    themed = request.COOKIES.get("theme") != "off"
    answer.set_cookie("theme", "off" if themed else "on", samesite="Lax")
    return answer


@require_POST
def enter_as_staff(request: HttpRequest) -> HttpResponse:
    """Open the admin without a password, on a developer's machine only. The user it makes cannot log in otherwise."""
    if not settings.DEBUG:
        raise Http404
    user, new = get_user_model().objects.get_or_create(
        username="demo", defaults={"is_staff": True, "is_superuser": True}
    )
    if new:
        user.set_unusable_password()
        user.save()
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("admin:snipcart_checkout_payment_changelist")


@require_POST
def run_cron_job(request: HttpRequest) -> HttpResponse:
    """Do at once what cron does every minute on a real server, and show what it printed."""
    if not settings.DEBUG:
        raise Http404
    printed = StringIO()
    with suppress(SystemExit):  # its exit code says that something needs a person
        call_command("snipcart_settle", stdout=printed)
    messages.info(request, printed.getvalue())
    return redirect("home")
