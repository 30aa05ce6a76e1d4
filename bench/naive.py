"""The checkout page as most people would write it first: one call, one template, Babel in a filter."""

from __future__ import annotations

from decimal import Decimal

import requests
from babel.numbers import format_currency
from django import template
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from bench.settings import CA_BUNDLE, SNIPCART

register = template.Library()


@register.filter
def money(amount: float, invoice: dict[str, str]) -> str:
    return format_currency(Decimal(str(amount)), invoice["currency"].upper(), locale=invoice["language"])


def checkout(request: HttpRequest) -> HttpResponse:
    answer = requests.get(
        f"{SNIPCART}/public/custom-payment-gateway/payment-session",
        params={"publicToken": request.GET["publicToken"]},
        verify=CA_BUNDLE,
        timeout=5,
    )
    answer.raise_for_status()
    return render(request, "naive.html", {"session": answer.json()})
