"""What Lyra's answers mean: transactions and a payment order in, a value of the backend interface out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from snipcart_checkout.backends.base import Declined, Paid, Pending
from snipcart_checkout.backends.lyra.api import LyraOutcomeUnknown
from snipcart_checkout.backends.lyra.declines import card_decline_code
from snipcart_checkout.snipcart.money import UnpayableAmount

if TYPE_CHECKING:
    from snipcart_checkout.backends.lyra.objects import PaymentOrder, Transaction

PAID: Final = "PAID"
RUNNING: Final = "RUNNING"
UNPAID: Final = "UNPAID"

STATUSES: Final = {
    "AUTHORISED": PAID,  # captured by itself, usually in the night
    "CAPTURED": PAID,
    "AUTHORISED_TO_VALIDATE": RUNNING,  # the merchant still has to validate it in the Back Office
    "INITIAL": RUNNING,  # the acquirer has not answered yet
    "PENDING": RUNNING,
    "PRE_AUTHORISED": RUNNING,
    "REFUND_TO_RETRY": RUNNING,  # refunds only: Lyra tries again
    "SUSPENDED": RUNNING,
    "UNDER_VERIFICATION": RUNNING,
    "WAITING_AUTHORISATION": RUNNING,  # captured too late to be authorised now
    "WAITING_AUTHORISATION_TO_VALIDATE": RUNNING,
    "WAITING_FOR_PAYMENT": RUNNING,
    "ABANDONED": UNPAID,
    "CANCELLED": UNPAID,
    "ERROR": UNPAID,
    "EXPIRED": UNPAID,
    "NOT_CREATED": UNPAID,
    "REFUSED": UNPAID,
}
"""``detailedStatus`` of a transaction, and the ``status`` that goes with it.

https://docs.lyra.com/en/rest/V4.0/api/kb/status_reference.html, with those that Lyra's own modules know besides.
Left out, so that a person looks: ACCEPTED, which is of transactions that verify a card and take nothing;
PARTIALLY_AUTHORISED, for a part of the amount; CAPTURE_FAILED, after which Lyra's support has to be asked.
"""
_ENDED_UNPAID: Final = frozenset({"CANCELED", "CANCELLED", "EXPIRED", "REFUSED"})
_GIVEN_UP: Final = frozenset({"ABANDONED", "CANCELLED", "EXPIRED", "NOT_CREATED"})
_WORD: Final = re.compile(r"[A-Z_]{1,40}")
ToAmount: TypeAlias = Callable[[int, str], Decimal]
"""Lyra's smallest units and a currency in, major units out; raises UnpayableAmount."""


def get_status(transaction: Transaction) -> str:
    """Return PAID, RUNNING or UNPAID; raise LyraOutcomeUnknown for a status that is unknown or contradicts itself."""
    meaning = STATUSES.get(transaction.detailed_status, "")
    if not meaning or (meaning != transaction.status and meaning != RUNNING):
        raise LyraOutcomeUnknown(
            f"Lyra answered with a transaction that is {to_word(transaction.status)}"
            f" and {to_word(transaction.detailed_status)}"
        )
    return meaning


def list_attempts(transactions: Sequence[Transaction]) -> list[Transaction]:
    """Return the transactions that take money, the oldest first."""
    debits = [transaction for transaction in transactions if transaction.operation == "DEBIT"]
    return sorted(debits, key=lambda transaction: transaction.created)


def may_still_pay(order: PaymentOrder, attempts: Sequence[Transaction]) -> bool:
    """Return whether the shopper could still pay, and neither has nor is on the way to it."""
    return order.status == RUNNING and all(get_status(attempt) == UNPAID for attempt in attempts)


def is_undecided(attempts: Sequence[Transaction]) -> bool:
    """Return whether an attempt may be refused any moment: the acquirer has not answered yet."""
    return any(attempt.detailed_status == "INITIAL" for attempt in attempts)


def find_outcome(attempts: Sequence[Transaction], to_amount: ToAmount) -> Paid | Pending | Declined | None:
    """Return what came of the attempts to pay, None where there was none."""
    by_status = {
        status: [entry for entry in attempts if get_status(entry) == status] for status in (PAID, RUNNING)
    }
    if by_status[PAID]:
        return _paid(by_status[PAID][0], to_amount)
    if by_status[RUNNING]:
        return Pending(by_status[RUNNING][-1].uuid)
    return Declined(_decline_code(attempts[-1])) if attempts else None


def to_outcome(
    order: PaymentOrder, attempts: Sequence[Transaction], to_amount: ToAmount
) -> Paid | Pending | Declined:
    """Return what came of a payment order, whose attempts were asked for after it.

    Raises LyraOutcomeUnknown for what it cannot be.
    """
    outcome = find_outcome(attempts, to_amount)
    if isinstance(outcome, (Paid, Pending)):
        return outcome
    if order.status == RUNNING:
        return Pending(order.id, unfinished=True)
    if order.status in _ENDED_UNPAID:
        return outcome or Declined("cancelled")
    raise LyraOutcomeUnknown(
        f"Lyra answered with a payment order that is {to_word(order.status)}, and with no payment of it"
    )


def to_word(status: str) -> str:
    """Return a status as it is fit for a log."""
    return status if _WORD.fullmatch(status) else "of an unknown status"


def _paid(attempt: Transaction, to_amount: ToAmount) -> Paid:
    try:
        if attempt.uuid and attempt.amount is not None:
            return Paid(attempt.uuid, to_amount(attempt.amount, attempt.currency), attempt.currency)
    except UnpayableAmount:
        pass
    raise LyraOutcomeUnknown("Lyra answered with a paid transaction without id, amount or currency")


def _decline_code(attempt: Transaction) -> str:
    if attempt.detailed_status in _GIVEN_UP:
        return "cancelled"
    return card_decline_code(attempt.error_code, attempt.detailed_error_code)
