"""PayPal's objects as far as they matter here, read strictly: what is missing or of the wrong type is a ValueError.

Names and values are those of PayPal's published specification, Orders v2 (2.13) and Payments v2 (2.5):
https://github.com/paypal/paypal-rest-api-specifications
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.dateparse import parse_datetime

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_STATUS: Final = re.compile(r"[A-Z_]{1,64}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_VALUE: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,3})?")


@dataclass(frozen=True)
class Capture:
    """Money taken, or an attempt to take it. ``amount`` is in major units."""

    id: str
    status: str
    amount: Decimal
    currency: str

    @classmethod
    def from_json(cls, value: object) -> Capture:
        """Read a capture."""
        fields = _object(value, "a capture")
        money = _object(fields.get("amount"), "the amount of a capture")
        return cls(
            id=_text(fields, "id", _ID),
            status=_text(fields, "status", _STATUS),
            amount=Decimal(_text(money, "value", _VALUE)),
            currency=_text(money, "currency_code", _CURRENCY),
        )


@dataclass(frozen=True)
class Refund:
    """Money on its way back. ``reference`` is ours, of the refund; empty where PayPal leaves it out."""

    id: str
    status: str
    reference: str

    @classmethod
    def from_json(cls, value: object) -> Refund:
        """Read a refund."""
        fields = _object(value, "a refund")
        return cls(
            id=_text(fields, "id", _ID),
            status=_text(fields, "status", _STATUS),
            reference=str(fields.get("custom_id") or ""),
        )


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the shopper approves at PayPal, with what was captured of it and refunded.

    ``references`` are ours: the ``custom_id`` of its purchase units, none in a short answer. ``approval_url`` is
    where the shopper goes on, empty when there is no way. ``created`` is None where PayPal leaves it out.
    """

    id: str
    status: str
    intent: str
    references: tuple[str, ...]
    approval_url: str
    created: datetime | None
    captures: tuple[Capture, ...]
    refunds: tuple[Refund, ...]

    @classmethod
    def from_json(cls, value: object) -> Order:
        """Read an order."""
        fields = _object(value, "an order")
        units = [_object(unit, "a purchase unit") for unit in _list(fields, "purchase_units")]
        payments = [_object(unit.get("payments") or {}, "payments") for unit in units]
        return cls(
            id=_text(fields, "id", _ID),
            status=_text(fields, "status", _STATUS),
            intent=str(fields.get("intent") or ""),
            references=tuple(str(unit["custom_id"]) for unit in units if unit.get("custom_id")),
            approval_url=_approval_url(_list(fields, "links")),
            created=_time(fields.get("create_time")),
            captures=tuple(
                Capture.from_json(each) for payment in payments for each in _list(payment, "captures")
            ),
            refunds=tuple(
                Refund.from_json(each) for payment in payments for each in _list(payment, "refunds")
            ),
        )


def _approval_url(links: Iterable[object]) -> str:
    """Return the link for the shopper: ``payer-action`` where the wallet was named, else ``approve``."""
    hrefs = {link.get("rel"): link.get("href") for link in links if isinstance(link, Mapping)}
    href = hrefs.get("payer-action") or hrefs.get("approve")
    return href if isinstance(href, str) else ""


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is missing or is no object")
    return value


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{name} is no list")
    return value


def _text(fields: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{name} is missing or not as specified")
    return value


def _time(value: object) -> datetime | None:
    """Return a time with its zone; None for whatever is none."""
    moment = parse_datetime(value) if isinstance(value, str) else None
    return moment if moment and moment.tzinfo else None
