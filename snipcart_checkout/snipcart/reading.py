"""Strict parsing of bytes and texts from outside; every failure is BadAnswer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any, Final, NoReturn

from snipcart_checkout.exceptions import BadAnswer

_MAX_TEXT: Final = 500
MAX_ID: Final = 255
_MAX_URL: Final = 4096
_MAX_DEPTH: Final = 32
# Control characters, lone surrogates, marks that reorder the text beside them, noncharacters.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
# Numbers for display need no more digits. This removes float noise, and a hostile exponent cannot
# fill the memory.
_FINEST: Final = Decimal("1E-9")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_LONGEST_NUMBER: Final = 40
# Not an exponent, nor more decimals than the finest: the price of a line as it mostly is.
_SHORT_NUMBER: Final = len("0.123456789")
_ABSURD: Final = 10**15
_DISPLAY: Final = Context(prec=28, traps=[])


def clean_text(value: str, limit: int = _MAX_TEXT) -> str:
    """Return outside text cleaned for a page, a log line and a database column."""
    text = (value if value.isprintable() else _UNSAFE.sub(" ", value)).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_json(data: bytes) -> Any:
    """Parse JSON strictly; raise BadAnswer for anything that two parsers could read differently.

    Numbers become int or Decimal. Non-finite numbers, repeated keys, bytes that are not UTF-8 and nesting
    deeper than any of Snipcart's bodies are refused.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8-sig"))
        # What does not open more than that cannot be deeper.
        readable = data.count(b"{") + data.count(b"[") <= _MAX_DEPTH or _is_shallow(value)
    except (ValueError, ArithmeticError, RecursionError):
        readable = False
    if not readable:
        raise BadAnswer("the body is not acceptable JSON")
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError


def _is_shallow(value: object) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            member
            for container in level
            for member in (container.values() if isinstance(container, dict) else _listed(container))
            if isinstance(member, (dict, list))
        ]
        if not level:
            return True
    return False


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


_DECODER: Final = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique_members
)


class Fields:
    """The members of one JSON object, found in any casing.

    ``get`` returns what decides about money as it came, ``link`` refuses what is not one. What ``text``, ``number`` and
    ``objects`` return is only shown, so a value of another type than it should have stops no order: it is read as well as it
    can be, else it is absent.
    """

    __slots__ = ("_members",)

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise BadAnswer("an object is missing or is not one")
        self._members = {key.lower(): member for key, member in value.items()}
        if len(self._members) != len(value):
            self._refuse_contradictions(value)

    def _refuse_contradictions(self, value: Mapping[str, Any]) -> None:
        if any(self._members[key.lower()] != member for key, member in value.items()):
            raise BadAnswer("a field stands twice with different values")

    def get(self, name: str) -> Any:
        return self._members.get(name)

    def text(self, name: str, limit: int = _MAX_TEXT) -> str:
        value: Any = self._members.get(name)
        if isinstance(value, str):
            return clean_text(value, limit)
        number = self.number(name)
        return "" if number is None else clean_text(format(number, "f"), limit)

    def link(self, name: str) -> str:
        value = self._members.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadAnswer(f"{name} is not a text")
        # Unchanged, so that the check of links sees every character that a browser would see.
        return value[: _MAX_URL + 1]

    def number(self, name: str) -> Decimal | None:
        value: Any = self._members.get(name)
        # An exact type is quicker to tell than an instance, and 500 lines hold thousands of numbers.
        kind = type(value)
        if kind is int and -_ABSURD < value < _ABSURD:
            return Decimal(value)
        if kind is int or kind is Decimal:
            return _to_display(value)
        if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value.strip()):
            return _to_display(Decimal(value.strip()))
        return None

    def objects(self, name: str, limit: int) -> list[Any]:
        value = self._members.get(name)
        if not isinstance(value, list):
            return []
        if len(value) > limit:
            raise BadAnswer(f"{name} is too long")
        return value


def _to_display(value: int | Decimal) -> Decimal | None:
    """Return a number with no more digits than anybody needs; None for one that is absurd."""
    if (
        isinstance(value, Decimal)
        and value
        and len(text := str(value)) <= _SHORT_NUMBER
        and text[-1].isdigit()
        and "E" not in text
    ):
        return value
    number = _DISPLAY.create_decimal(value)
    if not number.is_finite() or (number and number.adjusted() > 15):
        return None
    short = number.quantize(_FINEST, context=_DISPLAY)
    return number if number == short != 0 else short or Decimal()
