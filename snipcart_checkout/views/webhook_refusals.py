"""Why a machine's request is refused, in sentences for a developer."""

from __future__ import annotations

from enum import Enum

from snipcart_checkout.conf.translation import gettext_lazy as _


class Refusal(Enum):
    """Why a machine's request is refused: the HTTP status, and a sentence for a developer."""

    NOT_JSON = 415, _("The body must be application/json.")
    NO_LENGTH = 411, _("The request needs a Content-Length; this server does not read chunked bodies.")
    TOO_LARGE = 413, _("The body is too large.")
    UNREADABLE = 400, _("The body cannot be read: {reason}.")
    NOT_POST = 405, _("Only POST is allowed here.")
    NO_TOKEN = 400, _("The public token is missing or malformed.")
    TWO_TOKENS = 400, _("The request holds two different public tokens.")
    TOKEN_REFUSED = 401, _("Snipcart refuses the token.")
    NOT_PROVEN = 401, _("The token is missing, malformed or refused.")
    SNIPCART_UNAVAILABLE = 503, _("Snipcart cannot be reached, try again.")
    LEDGER_UNAVAILABLE = 503, _("The database cannot be reached, try again.")
    UNKNOWN_METHOD = 404, _("Payment method not found.")
    UNKNOWN_PAYMENT = 404, _("Payment not found.")
    UNPAYABLE_AMOUNT = 400, _("This amount cannot be refunded: {reason}.")
    NOT_REFUNDABLE = 409, "{reason}"
    REFUND_UNKNOWN = 502, "{reason}"
    PROVIDER_BUSY = 503, _("Too many calls to the payment provider are under way, try again.")
    NOT_VERIFIED = 400, _("The notification could not be verified.")
    NOT_LOOKED_UP = 503, _("The outcome could not be looked up, send this again.")
    UNEXPECTED = 500, _("Something went wrong on our side.")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.value[0])

    def explain(self, reason: object = "") -> str:
        """Return the sentence in the active translation."""
        return str(self.value[1]).format(reason=reason)
