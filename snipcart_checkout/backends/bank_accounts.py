"""The account that shoppers transfer money to: what they read of it and in which order, and its mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from snipcart_checkout.conf.translation import gettext as _

_SAMPLE_IBANS: Final = frozenset(
    {
        "BE68539007547034",
        "CH9300762011623852957",
        "DE02120300000000202051",
        "DE89370400440532013000",
        "ES9121000418450200051332",
        "FR1420041010050500013M02606",
        "FR7630006000011234567890189",
        "GB29NWBK60161331926819",
        "GB82WEST12345698765432",
        "IT60X0542811101000000123456",
        "NL91ABNA0417164300",
    }
)
"""Account numbers of this documentation, and those that the world copies from examples of ISO 13616."""


@dataclass(frozen=True, kw_only=True)
class BankAccount:
    """A merchant's account as the merchant wrote it; each part may be empty. False when all of them are."""

    holder: str
    iban: str
    bic: str
    bank: str

    def __bool__(self) -> bool:
        return any((self.holder, self.iban, self.bic, self.bank))

    def details(self) -> Iterator[tuple[str, str]]:
        """Yield label and value of each part that there is, in the active language, in the order of a bank's form."""
        parts = (
            (_("Account holder"), self.holder),
            (_("IBAN"), _in_fours(self.iban)),
            (_("BIC"), self.bic),
            (_("Bank"), self.bank),
        )
        return ((label, value) for label, value in parts if value)

    @property
    def valid_iban(self) -> str:
        """The IBAN without spaces; empty where there is none whose check digits match."""
        return _compact(self.iban) if _is_iban(self.iban) else ""

    @property
    def is_sample(self) -> bool:
        """Whether it stands in a documentation, and is nobody's."""
        return _compact(self.iban) in _SAMPLE_IBANS

    @property
    def is_mistyped(self) -> bool:
        """Whether there is an IBAN whose check digits do not match."""
        return bool(self.iban) and not _is_iban(self.iban)


def _in_fours(iban: str) -> str:
    """Return an IBAN as it is printed, in groups of four; anything else as it was written."""
    return " ".join(re.findall(".{1,4}", _compact(iban))) if _is_iban(iban) else iban


def _compact(iban: str) -> str:
    return re.sub(r"\s", "", iban).upper()


def _is_iban(text: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters read as 10 to 35, the rest of 97 is 1."""
    iban = _compact(text)
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", iban):
        return False
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1
