"""What PayPal's states and codes mean here. They are those of Orders v2 and Payments v2.

Sources: ``order_status`` and ``capture_status`` in https://github.com/paypal/paypal-rest-api-specifications, and https://developer.paypal.com/docs/api/orders/v2/.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from snipcart_checkout.backends.base import Declined, Paid, Pending
from snipcart_checkout.backends.paypal.api import PayPalOutcomeUnknown

if TYPE_CHECKING:
    from snipcart_checkout.backends.paypal.objects import Capture, Order


class OrderState(Enum):
    """What an order without captures means."""

    OPEN = auto()
    """The shopper has not approved it."""
    APPROVED = auto()
    """The shopper approved it, and the money is taken by our call alone."""
    ENDED = auto()
    """Nothing was taken, and nothing can be."""
    COMPLETED = auto()
    """Its captures say what came of it."""


ORDER_STATES: Final = {
    "CREATED": OrderState.OPEN,
    "SAVED": OrderState.OPEN,
    "PAYER_ACTION_REQUIRED": OrderState.OPEN,
    "APPROVED": OrderState.APPROVED,
    "VOIDED": OrderState.ENDED,
    "COMPLETED": OrderState.COMPLETED,
}
CAPTURE_VALUES: Final[dict[str, type[Paid | Pending | Declined]]] = {
    "COMPLETED": Paid,
    "PARTIALLY_REFUNDED": Paid,
    "REFUNDED": Paid,
    "PENDING": Pending,
    "DECLINED": Declined,
    "FAILED": Declined,
}
"""A refund takes nothing away from the fact that the money was ours."""

_CAPTURE: Final = "CAPTURE"
_AUTHORIZE: Final = "AUTHORIZE"
_BEST_FIRST: Final = (Paid, Pending, Declined)


def get_state(order: Order) -> OrderState:
    """Return what an order's status and intent mean; raise PayPalOutcomeUnknown for a status that is not known.

    An order of the intent AUTHORIZE is one whose capture we forbade. A short answer holds no intent.
    """
    state = ORDER_STATES.get(order.status)
    if state is None:
        raise PayPalOutcomeUnknown(f"PayPal answered with an order of unknown status {order.status}")
    if order.intent not in {"", _CAPTURE, _AUTHORIZE}:
        raise PayPalOutcomeUnknown("PayPal answered with an order of unknown intent")
    was_forbidden = order.intent == _AUTHORIZE
    return OrderState.ENDED if was_forbidden and state is not OrderState.COMPLETED else state


def to_outcome(order: Order) -> Paid | Pending | Declined:
    """Return what came of an order; raise PayPalOutcomeUnknown for what it cannot be."""
    outcomes = [_to_capture_outcome(capture) for capture in order.captures]
    for kind in _BEST_FIRST:
        if outcome := next((each for each in outcomes if isinstance(each, kind)), None):
            return outcome
    state = get_state(order)
    if state is OrderState.ENDED:
        return Declined("cancelled")
    if state is OrderState.COMPLETED:
        raise PayPalOutcomeUnknown("PayPal answered with a completed order without a capture")
    return Pending(order.id, unfinished=True)


def _to_capture_outcome(capture: Capture) -> Paid | Pending | Declined:
    kind = CAPTURE_VALUES.get(capture.status)
    if kind is Paid:
        return Paid(capture.id, capture.amount, capture.currency)
    if kind is Pending:
        return Pending(capture.id)
    if kind is Declined:
        return Declined("declined")
    raise PayPalOutcomeUnknown(f"PayPal answered with a capture of unknown status {capture.status}")
