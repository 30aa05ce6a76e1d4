"""What is stored as a code or a number, in words for staff: events, their sources, reasons for review, amounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import TextChoices
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.money import amount_of

__all__ = ["EVENTS", "REASONS", "SOURCES", "Reason", "label", "moment", "money", "whose_word"]

_STAFF: Final = "staff "


def money(units: int, currency: str) -> str:
    """Return minor units as staff read them: in the number format of the admin, with the currency's code."""
    return f"{number_format(amount_of(units, currency), force_grouping=True)}\N{NO-BREAK SPACE}{currency}"


def moment(when: datetime) -> str:
    """Return a date and time, short enough for a list and free to wrap there."""
    return date_format(timezone.localtime(when) if timezone.is_aware(when) else when, "SHORT_DATETIME_FORMAT")


def whose_word(source: str) -> str:
    """Return who said or asked for something, in words."""
    if source.startswith(_STAFF):
        return gettext("%(name)s (staff)") % {"name": source.removeprefix(_STAFF)}
    return str(SOURCES.get(source, source))


def label(choices: type[TextChoices], value: str) -> str:
    """Return the words for a stored choice; one that only a newer release knows is returned as it is."""
    return str(choices(value).label) if value in choices.values else value


EVENTS: Final[Mapping[str, Promise]] = {
    "charging": _("The backend was asked to take the money"),
    "waiting": _("The payment was begun; its money is awaited"),
    "paid": _("The money was taken"),
    "declined": _("The payment was declined; no money was taken"),
    "unknown": _("Whether the money was taken is not known"),
    "abandoned": _("The provider does not know the payment; nothing was taken"),
    "review": _("The payment was left to a person"),
    "gave_up": _("The shopper went back to the shop without paying"),
    "told": _("Snipcart was told"),
    "told_before": _("Snipcart had heard it before"),
    "told_again": _("Snipcart is to be told again"),
    "telling_dropped": _("Snipcart was not told of it any more: the final word came first"),
    "telling_refused": _("Snipcart refused to record it"),
    "telling_gave_up": _("Snipcart could not be told for three days"),
    "refund_asked": _("A refund was asked for"),
    "refund_refunded": _("The refund was made"),
    "refund_declined": _("The refund was declined"),
    "refund_uncertain": _("Whether the refund was made is not known"),
    "refund_review": _("The refund was left to a person"),
    "review_closed": _("The review was closed"),
}
"""Every name that the services give to an event."""

SOURCES: Final[Mapping[str, Promise | str]] = {
    "shopper": _("the shopper"),
    "return": _("the provider, when the shopper came back"),
    "notification": _("the provider's notification"),
    "provider": _("the provider"),
    "settle": "snipcart_settle",
    "snipcart": "Snipcart",
}
"""On whose word something happened; staff is named instead."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why something needs a person, and what that person can do."""

    what: Promise
    advice: Promise


REASONS: Final[Mapping[str, Reason]] = {
    "outcome_unknown": Reason(
        what=_("Nobody can tell whether the money was taken, and the backend cannot be asked."),
        advice=_("Look the reference up at the provider, then resolve the payment as paid or as declined."),
    ),
    "unknown_too_long": Reason(
        what=_("For more than an hour the provider has not said whether the money was taken."),
        advice=_("Look the reference up at the provider, then resolve the payment as paid or as declined."),
    ),
    "amount_differs": Reason(
        what=_("The provider took another amount or currency than was asked for."),
        advice=_(
            "Compare with the provider. Refund it and close the review, or resolve the payment as paid."
        ),
    ),
    "order_changed": Reason(
        what=_("The cart was changed while its money was being taken. Snipcart was not told."),
        advice=_(
            "Snipcart would make an order of the changed cart. Resolve the payment as paid if that order may stand; "
            "otherwise refund it and close the review."
        ),
    ),
    "lost_by_provider": Reason(
        what=_("The provider no longer knows a payment of which Snipcart was told that it is processing."),
        advice=_("Ask the provider, then resolve the payment as paid or as declined."),
    ),
    "second_capture": Reason(
        what=_("Money was taken although another payment of the same order is live or paid."),
        advice=_("Refund it and close the review."),
    ),
    "transaction_used_before": Reason(
        what=_("The provider named a transaction that belongs to another payment already."),
        advice=_("Ask the provider what was taken, then resolve the payment as paid or as declined."),
    ),
    "confirmation": Reason(
        what=_("Snipcart could not be told what came of the payment."),
        advice=_(
            "Look the order up in Snipcart's dashboard. Have it told again, or put it right there and close the review."
        ),
    ),
    "untold_too_long": Reason(
        what=_("Snipcart has not taken what came of the payment, or refused every API key."),
        advice=_(
            "Compare the API keys in the settings with those in Snipcart's dashboard. If Snipcart is out of order, "
            "nothing has to be done: telling it is repeated for three days."
        ),
    ),
    "refund_unknown_too_long": Reason(
        what=_("For more than an hour the provider has not said whether a refund was made."),
        advice=_(
            "The refund is repeated under the same id until the provider answers. Nobody has to repeat it by hand."
        ),
    ),
    "refund": Reason(
        what=_("Nobody can tell whether a refund was made."),
        advice=_("Look the refund up at the provider, then say on the refund's own page what came of it."),
    ),
}
"""Every reason for review, and what else waits for a person."""
