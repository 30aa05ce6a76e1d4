"""One thing done to a ledger, in a process of its own. Run as ``python -m bench.probe NAME ARGUMENT``; prints JSON."""

from __future__ import annotations

import gc
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable

import django

django.setup()

from django.test import Client  # noqa: E402

from bench.seeding import analyse, seed_ledger, seed_pending  # noqa: E402
from snipcart_checkout import services  # noqa: E402
from snipcart_checkout.models import Confirmation, Payment  # noqa: E402

ROUNDS = 60


def main(name: str, *arguments: str) -> dict[str, float]:
    match name:
        case "seed_ledger":
            seed_ledger(int(arguments[0]), method="acme_remote")
            analyse()
            return {}
        case "seed_pending":
            seed_pending(int(arguments[0]))
            return {}
        case "deliver":
            return deliver(float(arguments[0]))
        case "staff":
            from bench.staff import visit_admin

            return visit_admin()
        case _:
            return visit()


class Alerts(logging.Handler):
    """Counts what staff are told."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.levelno >= logging.ERROR


def deliver(seconds: float) -> dict[str, float]:
    alerts = Alerts()
    logging.getLogger("snipcart_checkout").addHandler(alerts)
    waiting = Confirmation.objects.pending()
    by_age = list(waiting.order_by("due_at").values_list("pk", flat=True))
    newer = set(by_age[len(by_age) // 2 :])
    started = time.perf_counter()
    report = services.settle(time_limit=seconds)
    spent = time.perf_counter() - started
    delivered = set(
        Confirmation.objects.filter(status=Confirmation.Status.DELIVERED).values_list("pk", flat=True)
    )
    newest = len(delivered & newer) / max(len(delivered), 1)
    return {"delivered": report.delivered, "seconds": spent, "newest": newest, "alerts": alerts.count}


def visit() -> dict[str, float]:
    client = Client(SERVER_NAME="127.0.0.1")
    paid = list(Payment.objects.filter(state="paid", refunded_minor_units=0).order_by("created_at")[:ROUNDS])
    pages = iter(range(10_000))
    rounds = iter(paid)

    def see_page() -> None:
        assert client.get(f"/checkout/?publicToken=lines-5.{next(pages)}").status_code == 200

    def see_status() -> None:
        assert client.get(f"/checkout/payments/{paid[0].reference}/").status_code == 200

    def refund() -> None:
        services.refund_by_staff(next(rounds), 50, by="ada")

    def settle() -> None:
        assert not services.settle().failed_stages

    done: dict[str, tuple[Callable[[], None], int]] = {
        "checkout page": (see_page, ROUNDS),
        "status page": (see_status, ROUNDS),
        "refund": (refund, ROUNDS - 5),
        "snipcart_settle, nothing due": (settle, 15),
    }
    return {what: median(work, rounds) for what, (work, rounds) in done.items()}


def median(work: Callable[[], None], rounds: int) -> float:
    """Return the median of so many rounds in milliseconds."""
    taken = []
    work()
    gc.collect()
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
