"""Everything that can go wrong between Snipcart, a payment backend and us.

SnipcartError
├── SnipcartUnavailable   not reached, too slow, or out of order: try again later
├── TokenRefused          Snipcart does not know the token, or it belongs to another shop: do not try again
│   └── TokenMalformed    no token, or nothing that Snipcart could have issued: never sent anywhere
├── BadAnswer             Snipcart answered something that cannot be understood or cannot be paid
│   └── UnpayableOrder    the order's amount or currency cannot be paid exactly
└── ConfirmationRefused   Snipcart refused to record the outcome of a payment
ProviderBusy              a payment provider was not called: too many calls are under way, or no time is left
TransactionOpen           a transaction was open around a payment, so nothing was begun (also a RuntimeError)
NotificationRefused       a provider's notification that could not be verified (also a SuspiciousOperation)
RefundError               a refund that was not made
├── RefundNotPossible     not refundable, more than is left, or declined by the provider
└── RefundUnknown         the provider's answer is not known; the amount stays reserved
"""

from __future__ import annotations

from django.core.exceptions import SuspiciousOperation

__all__ = [
    "BadAnswer",
    "ConfirmationRefused",
    "NotificationRefused",
    "ProviderBusy",
    "RefundError",
    "RefundNotPossible",
    "RefundUnknown",
    "SnipcartError",
    "SnipcartUnavailable",
    "TokenMalformed",
    "TokenRefused",
    "TransactionOpen",
    "UnpayableOrder",
]


class SnipcartError(Exception):
    """Base of every failure in talking with Snipcart.

    The message is meant for the log. It never holds a token, a key or Snipcart's own text.
    ``status`` is Snipcart's HTTP status, or None when there was no answer.
    """

    def __init__(self, message: str = "", *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class SnipcartUnavailable(SnipcartError):
    """Snipcart could not be reached, was too slow, or answered 408, 425, 429 or 5xx.

    ``was_sent`` is true from the moment that the first byte of the request was written to the network, and then it
    is unknown whether Snipcart acted on it. It is false for everything before: looking up the name, connecting, a
    proxy, TLS, a full cap, an open circuit, no time left. ``retry_after`` is in seconds.
    """

    def __init__(
        self, message: str = "", *, status: int | None = None, retry_after: int = 5, was_sent: bool = True
    ) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after
        self.was_sent = was_sent


class TokenRefused(SnipcartError):
    """Snipcart refuses the token, or its session belongs to a shop that is not ours."""


class TokenMalformed(TokenRefused):
    """No token (``missing``), two different ones (``contradictory``), or one that Snipcart cannot have issued."""

    def __init__(self, message: str = "", *, missing: bool = False, contradictory: bool = False) -> None:
        super().__init__(message)
        self.missing = missing
        self.contradictory = contradictory


class BadAnswer(SnipcartError):
    """A redirect, an unreadable body, or an amount or currency that cannot be paid exactly."""


class UnpayableOrder(BadAnswer):
    """The order's total is zero, negative, too large or too precise, or its currency is unknown."""


class ConfirmationRefused(SnipcartError):
    """Snipcart answered a confirmation with a definite 4xx, found in ``status``."""


class ProviderBusy(Exception):
    """Nothing was sent to a payment provider: too many calls to it are under way, or no time is left in this request."""


class TransactionOpen(RuntimeError):
    """Nothing was stored or sent: a transaction around the request could undo what must not be undone.

    Some middleware or decorator of the site opened it, or AUTOCOMMIT of the database is off; ``manage.py check`` looks
    for such.
    """


class NotificationRefused(SuspiciousOperation):
    """Raised by a backend whose notification is malformed or fails verification; answered with 400."""


class RefundError(Exception):
    """Base of the reasons for which a refund was not made."""


class RefundNotPossible(RefundError):
    """Nothing was refunded. The message, which may be shown to the merchant, says why."""


class RefundUnknown(RefundError):
    """The provider may or may not have refunded; ``snipcart_settle`` finds out."""
