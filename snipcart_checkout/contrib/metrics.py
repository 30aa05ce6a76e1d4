"""The ledger's numbers for Prometheus. Needs ``prometheus-client``.

Register it once: ``prometheus_client.REGISTRY.register(LedgerCollector())``.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import Error
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from snipcart_checkout.contrib.ledger_numbers import LedgerNumbers, read_ledger_numbers

__all__ = ["LedgerCollector"]


class LedgerCollector(Collector):
    """Reads the ledger whenever Prometheus asks, so that any process of the site gives the same numbers.

    ``snipcart_ledger_up`` is 0, and the others are left out, while the ledger cannot be read.
    """

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics without a query, because a process registers the collector while it starts."""
        yield _up()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric as it is now."""
        try:
            numbers = read_ledger_numbers()
        except Error:
            yield _up(0)
            return
        yield _up(1)
        yield from _to_metrics(numbers)


def _to_metrics(numbers: LedgerNumbers) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "pending_confirmations", "Confirmations that wait for delivery.", numbers.pending_confirmations
    )
    yield _gauge(
        "oldest_confirmation_seconds",
        "Age of the oldest confirmation that waits for delivery.",
        numbers.oldest_confirmation_seconds,
    )
    yield _gauge(
        "settle_overdue_seconds",
        "For how long work has been due that snipcart_settle would have done.",
        numbers.settle_overdue_seconds,
    )
    cases = GaugeMetricFamily("snipcart_open_cases", "Open cases that need review, by kind.", labels=["kind"])
    for kind, count in vars(numbers.open_cases).items():
        cases.add_metric([kind], count)
    yield cases


def _up(value: float | None = None) -> GaugeMetricFamily:
    return _gauge("ledger_up", "Whether the ledger could be read.", value)


def _gauge(name: str, text: str, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"snipcart_{name}", text, value=value)
