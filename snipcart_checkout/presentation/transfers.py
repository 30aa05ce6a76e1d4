"""How a shopper pays by themselves: account details to be copied, a code to be scanned, and until when."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol, cast

from django.utils.safestring import SafeString

from snipcart_checkout.backends.base import Charge, PaymentBackend
from snipcart_checkout.presentation.formats import format_amount, format_date, format_plain_amount
from snipcart_checkout.presentation.languages import PageLanguage

_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{1,4}){3,8}")


@dataclass(frozen=True, kw_only=True)
class DetailDisplay:
    """One line of payment details. ``value`` consists of ``parts`` in which no line breaks; ``copied`` is what to type."""

    label: str
    value: str
    parts: tuple[str, ...]
    copied: str


@dataclass(frozen=True, kw_only=True)
class TransferDisplay:
    """What a shopper has to know to pay by themselves. False without details.

    ``code`` is the SVG of a code to be scanned, empty for none; ``pay_by`` the last day, empty where there is none.
    ``instructions`` are lines that say more than the details.
    """

    details: tuple[DetailDisplay, ...] = ()
    code: str = ""
    pay_by: str = ""
    instructions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.details)


def present_transfer(
    backend: PaymentBackend,
    charge: Charge,
    instructions: str,
    expires_at: datetime | None,
    language: PageLanguage,
) -> TransferDisplay:
    """Return what the backend says of a pending charge, in the page's language; raises what the backend raises.

    ``charge`` and ``instructions`` are in the language of the order, and so are the lines that are left of these.
    """
    details = backend.payment_details(charge)
    if not details:
        return TransferDisplay()
    spoken = replace(charge, language=language.code)
    return TransferDisplay(
        details=_present_details(backend.payment_details(spoken), charge, language),
        code=draw_code(backend.payment_code(charge)),
        pay_by=format_date(expires_at, language.locale) if expires_at else "",
        instructions=tuple(
            line for line in instructions.splitlines() if line and not _is_said(line, details)
        ),
    )


def _present_details(
    details: Sequence[tuple[str, str]], charge: Charge, language: PageLanguage
) -> tuple[DetailDisplay, ...]:
    plain = format_plain_amount(charge.amount, charge.currency, language.locale)
    amount = format_amount(charge.amount, charge.currency, language.locale)
    return tuple(
        DetailDisplay(
            label=str(label),
            value=str(value),
            parts=tuple(str(value).split(" ")) if _is_iban(value) else (str(value),),
            copied=plain if value == amount else value.replace(" ", "") if _is_iban(value) else str(value),
        )
        for label, value in details
    )


def _is_said(line: str, details: Sequence[tuple[str, str]]) -> bool:
    """Tell whether a line of instructions says nothing but one of the details."""
    return any(label in line and line.strip().endswith(value) for label, value in details)


def draw_code(text: str) -> SafeString:
    """Return a QR code as SVG, black on white with its quiet zone; empty without text, and without ``segno``."""
    if not text:
        return SafeString("")
    try:
        qr = cast("_Segno", importlib.import_module("segno"))
    except ImportError:
        return SafeString("")
    # Correction M is what EPC069-12 asks for. The picture's own attributes are all that segno writes: no style, no script.
    drawn = qr.make(text, error="m", boost_error=False, micro=False, encoding="utf-8")
    return SafeString(drawn.svg_inline(light="#fff", omitsize=True, svgclass="sc-qr", lineclass=None))


class _Code(Protocol):
    def svg_inline(self, **options: object) -> str: ...


class _Segno(Protocol):
    def make(self, content: str, **options: object) -> _Code: ...


def _is_iban(value: str) -> bool:
    return _IBAN.fullmatch(value) is not None
