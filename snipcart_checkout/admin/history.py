"""The history of a payment: what happened, when and who brought it about, and what now needs review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.dateparse import parse_date
from django.utils.formats import date_format, time_format
from django.utils.timezone import is_aware, localtime

from snipcart_checkout import services
from snipcart_checkout.admin.advice import Case, describe_case
from snipcart_checkout.admin.formatting import describe_source, label, money
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import ngettext
from snipcart_checkout.models import Confirmation, Event, Payment

MOST_NOTIFICATIONS: Final = 50


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """One event, readable."""

    when: str
    what: str
    source: str
    details: tuple[str, ...]


def get_history(payment: Payment) -> list[HistoryLine]:
    """Return what happened to a payment, the oldest first, in the active language; notifications are left out."""
    return _to_lines(payment, payment.events.exclude(name=Event.Name.NOTIFICATION))


def get_notifications(payment: Payment) -> list[HistoryLine]:
    """Return the latest messages that the provider sent about a payment, the last first; at most MOST_NOTIFICATIONS."""
    sent = payment.events.filter(name=Event.Name.NOTIFICATION).order_by("-pk")
    return _to_lines(payment, sent[:MOST_NOTIFICATIONS])


def _to_lines(payment: Payment, events: Iterable[Event]) -> list[HistoryLine]:
    return [
        HistoryLine(
            when=_describe_moment(event.at),
            what=label(Event.Name, event.name),
            source=describe_source(event.source, event.actor),
            details=tuple(_details(event, payment)),
        )
        for event in events
    ]


def _describe_moment(moment: datetime) -> str:
    """Return a moment to the second, in the site's time zone: what happened at once stands in one minute."""
    local = localtime(moment) if is_aware(moment) else moment
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {time_format(local, 'H:i:s')}"


def _details(event: Event, payment: Payment) -> Iterator[str]:
    # Named one by one, so that nothing is shown of which nobody has thought whether it may be.
    data = event.data
    if "minor_units" in data:
        # A part that was received is the order's; what went back is what was captured.
        captured = payment.captured_currency if "refund" in data else ""
        yield money(data["minor_units"], captured or payment.currency)
    if "outcome" in data:
        yield label(Confirmation.Outcome, data["outcome"])
    if data.get("attempts", 0) > 1:
        count = data["attempts"]
        yield ngettext("%(count)d attempt", "%(count)d attempts", count) % {"count": count}
    if "reason" in data:
        # Of a decline it is the backend's own code, which may be spelt like one of our reasons.
        is_code = event.name == Event.Name.DECLINED
        yield data["reason"] if is_code else label(Payment.ReviewReason, data["reason"])
    if "transaction" in data:
        yield _("transaction %(id)s, %(amount)s %(currency)s") % {
            "id": data["transaction"],
            "amount": data.get("amount", ""),
            "currency": data.get("currency", ""),
        }
    if "other" in data:
        yield _("payment %(id)s") % {"id": data["other"]}
    if "refund" in data:
        yield _("refund %(id)s") % {"id": data["refund"]}
    if "was" in data:
        yield _("before: %(state)s") % {"state": label(Payment.State, data["was"])}
    if "received" in data:
        yield _("received on %(day)s") % {"day": _to_day(data["received"])}
    if "given_back" in data:
        yield _("given back on %(day)s") % {"day": _to_day(data["given_back"])}
    if "result" in data:
        yield _describe_result(data["result"])
    if "note" in data:
        yield _("“%(note)s”") % {"note": data["note"]}


def _to_day(text: str) -> str:
    day = parse_date(text)
    return date_format(day, "SHORT_DATE_FORMAT") if day else text


def _describe_result(result: str) -> str:
    """Return in words what became of a message of the provider."""
    words = {
        "accepted": _("accepted: the payment was looked up at the provider"),
        "refused": _("refused: it could not be verified, so nothing was done"),
    }
    return words.get(result, result)


def get_open_cases(payment: Payment) -> list[Case]:
    """Return why a payment needs review; empty once its case was resolved or closed."""
    open_ = {
        payment.review_reason: services.payments_in_review().filter(pk=payment.pk),
        "payment": services.payments_unknown_too_long().filter(pk=payment.pk),
        "confirmation_review": services.confirmations_in_review().filter(payment=payment),
        "confirmation": services.confirmations_undelivered_too_long().filter(payment=payment),
        "refund_review": services.refunds_in_review().filter(payment=payment),
        "refund": services.refunds_unknown_too_long().filter(payment=payment),
    }
    return [describe_case(code) for code, rows in open_.items() if rows.exists()]
