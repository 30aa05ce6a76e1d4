"""Payment references: UUIDs, whose first eight digits are the short form that people quote.

The eighth digit is a check digit over the first seven (ISO 7064, hybrid system MOD 17,16): it
detects every single wrong digit, and 99 of 100 swaps of two neighbours.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

_SHORT: Final = re.compile(r"[0-9A-F]{4}[-\s]?[0-9A-F]{4}")


def new_reference() -> uuid.UUID:
    """Return a random UUID (version 4) whose eighth hexadecimal digit is the check digit of the first
    seven.
    """
    digits = uuid.uuid4().hex
    return uuid.UUID(digits[:7] + _check_digit(digits[:7]) + digits[8:])


def to_short_reference(reference: uuid.UUID) -> str:
    """Return the first eight digits in upper case, as the ledger stores them."""
    return reference.hex[:8].upper()


def format_short_reference(short_reference: str) -> str:
    """Return a short reference as people read it: ``8572-A9BB``."""
    return f"{short_reference[:4]}-{short_reference[4:]}"


def find_short_reference(text: str) -> str:
    """Return the short reference that a person typed, in any casing, with or without its dash; empty for none."""
    typed = text.strip().upper()
    return re.sub(r"[-\s]", "", typed) if _SHORT.fullmatch(typed) else ""


def is_mistyped(short_reference: str) -> bool:
    """Return whether the check digit of eight digits does not fit the others."""
    return _check_digit(short_reference[:7].lower()) != short_reference[7:].lower()


def _check_digit(digits: str) -> str:
    product = 16
    for digit in digits:
        total = (product + int(digit, 16)) % 16 or 16
        product = total * 2 % 17
    return format((17 - product) % 16, "x")
