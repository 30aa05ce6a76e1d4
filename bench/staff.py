"""What staff wait for in the admin of a ledger: every list, filter, pair of filters, search, the totals, the CSV of everything."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from snipcart_checkout.models import Payment, Refund

ROUNDS = 3


def visit_admin() -> dict[str, float]:
    """Return milliseconds by page, each the median of three visits, and under ``megabytes`` what the CSV grew a process by."""
    people: Any = get_user_model()
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(people.objects.get_or_create(username="ada", is_staff=True, is_superuser=True)[0])
    times = {what: median(client, address) for what, address in pages(client)}
    first, megabytes = export(client)
    return {**times, "CSV of everything, first lines": first, "megabytes": megabytes}


def pages(client: Client) -> Iterator[tuple[str, str]]:
    """Every page that does not change anything, with a name for each."""
    for model in ("payment", "confirmation", "refund"):
        address = reverse(f"admin:snipcart_checkout_{model}_changelist")
        page: Any = client.get(address)
        shown = page.context_data["cl"]
        yield f"list of {model}s", address
        yield f"list of {model}s, last page", f"{address}?p={shown.paginator.num_pages}"
        for kind, what, query in filters(shown):
            yield f"{kind} of {model}s by {what}", f"{address}?{urlencode(query)}"
    payments = reverse("admin:snipcart_checkout_payment_changelist")
    for what, typed in texts():
        yield f"search for {what}", f"{payments}?{urlencode({'q': typed})}"
    yield "page of a payment", reverse("admin:snipcart_checkout_payment_change", args=[a_payment().pk])
    yield (
        "totals of a month",
        reverse("admin:snipcart_checkout_payment_totals") + f"?month={a_payment().captured_at:%Y-%m}",
    )
    yield "page that the admin begins with", reverse("admin:index")


def filters(shown: Any) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each choice of each filter beside a list, and each two of them."""
    offered = [
        [
            (f"{spec.title}: {choice['display']}", dict(parse_qsl(choice["query_string"][1:])))
            for choice in spec.choices(shown)
        ]
        for spec in shown.filter_specs
    ]
    for what, query in chain.from_iterable(offered):
        yield "filter", what, query
    for one, other in combinations(offered, 2):
        for (what, query), (also, more) in product(one, other):
            yield "pair", f"{what}, {also}", {**query, **more}


def a_payment() -> Any:
    """A paid one in the middle of the ledger."""
    paid = Payment.objects.filter(state="paid").order_by("created_at")
    middle = (
        Payment.objects.filter(created_at__gte=paid[0].created_at).order_by("reference")[:1][0].created_at
    )
    return paid.filter(created_at__gte=middle)[0]


def texts() -> Iterator[tuple[str, str]]:
    """What staff type into the search box."""
    payment: Any = a_payment()
    yield "a reference", str(payment.reference)
    yield "a short reference", payment.display_reference
    yield "an order reference", payment.cart_id
    yield "a session", payment.session_id
    yield "a transaction", payment.transaction_id
    yield "a refund", str(Refund.objects.order_by("pk")[0].pk)
    yield "an amount", f"{payment.amount:.2f}"
    yield "an amount with its currency", f"EUR {payment.amount:.2f}"
    yield "a day", f"{payment.captured_at:%Y-%m-%d}"
    yield "a month", f"{payment.captured_at:%Y-%m}"
    yield "nothing that there is", "no-such-thing"


def median(client: Client, address: str) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        response = client.get(address)
        taken.append(1000 * (time.perf_counter() - started))
        assert response.status_code == 200, (address, response.status_code)
    return statistics.median(taken)


def export(client: Client) -> tuple[float, float]:
    """Return milliseconds until the first lines, and the megabytes that a process had grown by at most until the last."""
    before, started = resident(), time.perf_counter()
    pieces = iter(client.get(reverse("admin:snipcart_checkout_payment_export")))
    next(pieces), next(pieces)  # the names of the columns, and the first payments
    first = 1000 * (time.perf_counter() - started)
    return first, max(resident() - before for _piece in pieces)


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
