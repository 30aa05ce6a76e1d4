"""Mollie's objects as far as they matter here, read so that a field which Mollie leaves out is empty.

Fields are those of https://docs.mollie.com/reference/get-payment, get-refund and get-current-profile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_VALUE: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,4})?", re.ASCII)


def is_id(text: object, kind: str) -> bool:
    """Return whether a text is an id of Mollie's of a kind: ``tr`` for payments, ``re`` refunds, ``pfl`` profiles."""
    return (
        isinstance(text, str) and re.fullmatch(rf"{kind}_[A-Za-z0-9_-]{{1,64}}", text, re.ASCII) is not None
    )


@dataclass(frozen=True, kw_only=True)
class MollieRefund:
    """Money on its way back. ``reference`` is ours, of the refund; ``created_at`` is ISO 8601."""

    id: str
    status: str
    reference: str
    created_at: str

    @classmethod
    def from_json(cls, content: object) -> MollieRefund:
        """Read a refund object; raise ValueError for anything else."""
        fields = _fields(content, "refund")
        return cls(
            id=_id(fields, "re"),
            status=_text(fields, "status"),
            reference=_reference(fields),
            created_at=_text(fields, "createdAt"),
        )


@dataclass(frozen=True, kw_only=True)
class TransferDetails:
    """Where the shopper sends a transfer of his own to, and the reference that he has to quote, texts as Mollie has them.

    ``entity`` and ``reference`` are all that there is of a Multibanco payment.
    """

    bank: str
    account: str
    bic: str
    entity: str
    reference: str


@dataclass(frozen=True, kw_only=True)
class MolliePayment:
    """A payment. ``reference`` is ours, ``amount`` in major units, ``transfer`` None as long as none was arranged.

    ``charged_back``: what the shopper's bank has taken back.
    """

    id: str
    status: str
    reference: str
    amount: Decimal
    currency: str
    checkout_url: str
    is_cancelable: bool
    charged_back: Decimal
    failure_reason: str
    transfer: TransferDetails | None
    refunds: tuple[MollieRefund, ...]

    @classmethod
    def from_json(cls, content: object) -> MolliePayment:
        """Read a payment object, with its refunds where they are embedded; raise ValueError for anything else."""
        fields = _fields(content, "payment")
        amount, currency = _amount(_mapping(fields, "amount"))
        details = _mapping(fields, "details")
        return cls(
            id=_id(fields, "tr"),
            status=_text(fields, "status"),
            reference=_reference(fields),
            amount=amount,
            currency=currency,
            checkout_url=_text(_mapping(_mapping(fields, "_links"), "checkout"), "href"),
            is_cancelable=fields.get("isCancelable") is True,
            charged_back=_optional_amount(_mapping(fields, "amountChargedBack")),
            failure_reason=_text(details, "failureReason"),
            transfer=_transfer(details),
            refunds=tuple(map(MollieRefund.from_json, _list(_mapping(fields, "_embedded"), "refunds"))),
        )


@dataclass(frozen=True, kw_only=True)
class MollieProfile:
    """The website profile that a key belongs to. ``mode`` is live or test."""

    id: str
    mode: str
    status: str

    @classmethod
    def from_json(cls, content: object) -> MollieProfile:
        """Read a profile object; raise ValueError for anything else."""
        fields = _fields(content, "profile")
        return cls(id=_id(fields, "pfl"), mode=_text(fields, "mode"), status=_text(fields, "status"))


@dataclass(frozen=True, kw_only=True)
class RefundPage:
    """A part of a list of refunds. ``next_url`` is empty on the last one."""

    refunds: tuple[MollieRefund, ...]
    next_url: str

    @classmethod
    def from_json(cls, content: object) -> RefundPage:
        """Read a list of refunds; raise ValueError for anything else."""
        if not isinstance(content, dict) or not isinstance(
            _mapping(content, "_embedded").get("refunds"), list
        ):
            raise ValueError("it is not a list of refunds")
        return cls(
            refunds=tuple(map(MollieRefund.from_json, content["_embedded"]["refunds"])),
            next_url=_text(_mapping(_mapping(content, "_links"), "next"), "href"),
        )


def _amount(fields: Mapping[str, Any]) -> tuple[Decimal, str]:
    value, currency = _text(fields, "value"), _text(fields, "currency")
    if not _VALUE.fullmatch(value) or not currency:
        raise ValueError("its amount cannot be read")
    return Decimal(value), currency


def _optional_amount(fields: Mapping[str, Any]) -> Decimal:
    return _amount(fields)[0] if fields else Decimal()


def _transfer(details: Mapping[str, Any]) -> TransferDetails | None:
    reference = _text(details, "transferReference") or _text(details, "multibancoReference")
    if not reference:
        return None
    return TransferDetails(
        bank=_text(details, "bankName"),
        account=_text(details, "bankAccount"),
        bic=_text(details, "bankBic"),
        entity=_text(details, "multibancoEntity"),
        reference=reference,
    )


def _fields(content: object, resource: str) -> Mapping[str, Any]:
    if not isinstance(content, dict) or content.get("resource", resource) != resource:
        raise ValueError(f"it is not a {resource}")
    return content


def _id(fields: Mapping[str, Any], kind: str) -> str:
    content = _text(fields, "id")
    if not is_id(content, kind):
        raise ValueError("it has no id of Mollie's")
    return content


def _reference(fields: Mapping[str, Any]) -> str:
    """Return our reference in the metadata, which Mollie gives back as an object or as the JSON text of one."""
    metadata = fields.get("metadata")
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return ""
    return _text(metadata, "reference") if isinstance(metadata, dict) else ""


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    content = fields.get(name)
    return content if isinstance(content, dict) else {}


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    content = fields.get(name)
    return content if isinstance(content, list) else []


def _text(fields: Mapping[str, Any], name: str) -> str:
    content = fields.get(name)
    return content if isinstance(content, str) else ""
