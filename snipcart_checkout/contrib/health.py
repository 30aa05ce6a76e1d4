"""A check for ``django-health-check`` 4.0 and newer: list ``"snipcart_checkout.contrib.health.Ledger"`` in ``checks``."""

from __future__ import annotations

import dataclasses

from django.db import Error
from health_check import HealthCheck
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from snipcart_checkout.contrib.ledger_numbers import LedgerNumbers, read_ledger_numbers

__all__ = ["Ledger"]


@dataclasses.dataclass
class Ledger(HealthCheck):  # type: ignore[misc]
    """Whether payments can be recorded, and whether anything waits.

    Unavailable while the ledger cannot be read. A warning while ``snipcart_settle`` seems not to run or a case is open,
    unless ``ignore_open_cases``. Asks nobody over the network.
    """

    ignore_open_cases: bool = False

    def run(self) -> None:
        """Raise what is wrong, for the report."""
        try:
            numbers = read_ledger_numbers()
        except Error as error:
            raise ServiceUnavailable("the ledger cannot be read") from error
        if problem := self._find_problem(numbers):
            raise ServiceWarning(problem)

    def _find_problem(self, numbers: LedgerNumbers) -> str:
        if numbers.settle_overdue_seconds:
            return "snipcart_settle seems not to run"
        if numbers.open_cases.total and not self.ignore_open_cases:
            return f"{numbers.open_cases.total} open cases need review"
        return ""
