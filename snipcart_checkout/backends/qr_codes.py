"""What the QR code of a bank transfer says to a banking app (EPC069-12, version 002)."""

from __future__ import annotations

import re
from typing import Final

from snipcart_checkout.backends.bank_accounts import BankAccount
from snipcart_checkout.snipcart import clean_text

_LONGEST_HOLDER: Final = 70
_MOST_CENTS: Final = 999_999_999_99


def build_epc_code(account: BankAccount, *, amount: str, cents: int, reference: str) -> str:
    """Return the text of the code for so many euros; empty where such a code cannot say account or amount."""
    iban, holder = account.valid_iban, clean_text(account.holder, _LONGEST_HOLDER)
    if not iban or not holder or cents > _MOST_CENTS:
        return ""
    bic = re.sub(r"\s", "", account.bic).upper()
    # Service tag, version, character set (UTF-8), SEPA credit transfer. Purpose and structured reference stay empty.
    return "\n".join(("BCD", "002", "1", "SCT", bic, holder, iban, f"EUR{amount}", "", "", reference))
