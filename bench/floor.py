"""The same page by hand, with nothing that a payment page needs besides: what no framework of ours can be below."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import urllib3
from babel import Locale
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token

from bench.settings import CA_BUNDLE, SNIPCART

POOL = urllib3.PoolManager(maxsize=32, ca_certs=CA_BUNDLE, retries=False)
SYMBOL = Locale("fr").currency_symbols["EUR"]


def money(amount: float) -> str:
    return f"{amount:,.2f} {SYMBOL}".translate({ord(","): "\N{NARROW NO-BREAK SPACE}", ord("."): ","})


def row(item: dict[str, Any]) -> str:
    return (
        f"<tr><td>{escape(item['name'])}</td><td>{item['quantity']}</td><td>{money(item['unitPrice'])}</td>"
        f"<td>{money(item['amount'])}</td></tr>"
    )


def checkout(request: HttpRequest) -> HttpResponse:
    answer = POOL.request(
        "GET",
        f"{SNIPCART}/public/custom-payment-gateway/payment-session",
        fields={"publicToken": request.GET["publicToken"]},
    )
    session = json.loads(answer.data)
    invoice = session["invoice"]
    address = invoice["billingAddress"]
    lines = "<br>".join(
        escape(address[name] or "") for name in ("name", "streetAndNumber", "city", "country")
    )
    total = money(invoice["amount"])
    return HttpResponse(
        f"<!doctype html><html lang={invoice['language']}><head><meta charset=utf-8><title>Checkout</title></head><body>"
        f"<h1>Your order</h1><table>{''.join(map(row, invoice['items']))}</table><p>Total: {total}</p>"
        f"<p>{escape(invoice['email'])}</p><p>{lines}</p>"
        f"<p><a href='{escape(session['paymentAuthorizationRedirectUrl'])}'>Back to the cart</a></p>"
        f"<form method=post><input type=hidden name=csrfmiddlewaretoken value={get_token(request)}>"
        f"<button>Pay {total}</button></form></body></html>"
    )
