"""Lyra's reasons for a payment that was not made, and our codes for them.

Codes are of https://docs.lyra.com/en/rest/V4.0/api/errors-reference.html and the pages it leads to.
"""

from __future__ import annotations

from typing import Final

_DECLINES_OF_ORDERS: Final = {
    "INT_009": "amount_not_supported",
    "INT_010": "currency_not_supported",
    "PSP_020": "amount_not_supported",
    "PSP_021": "currency_not_supported",
    "PSP_506": "amount_not_supported",
    "PSP_519": "currency_not_supported",
    "PSP_583": "amount_not_supported",
    "PSP_606": "currency_not_supported",
    "PSP_610": "currency_not_supported",
    "PSP_659": "amount_not_supported",
    "PSP_1035": "currency_not_supported",
    "PSP_1072": "amount_not_supported",
}
_DECLINES_OF_CARDS: Final = {
    "PSP_023": "invalid_expiration",
    "PSP_024": "invalid_cvv",
    "PSP_026": "invalid_number",
    "PSP_042": "insufficient_funds",
    "PSP_112": "expired",
    "PSP_202": "expired",
    "PSP_508": "expired",
    "PSP_509": "invalid_cvv",
    **dict.fromkeys((f"PSP_{number}" for number in range(526, 534)), "invalid_number"),
    "PSP_607": "expired",
    "PSP_642": "card_not_supported",
}
# The return codes of an authorisation, https://docs.lyra.com/en-EN/collect/form-payment/subscription-token/
# list-of-authorization-request-return-codes.html. Those for stolen or suspected cards are left out: they are not to be
# told apart by whoever holds the card.
_DECLINES_OF_BANKS: Final = {
    "14": "invalid_number",
    "33": "expired",
    "38": "expired",
    "51": "insufficient_funds",
    "54": "expired",
}


def order_decline_code(code: str) -> str:
    """Return our code for a payment order that Lyra did not create."""
    return _DECLINES_OF_ORDERS.get(code, "declined")


def card_decline_code(code: str, detailed_code: str) -> str:
    """Return our code for an attempt that failed: ``detailed_code`` is the bank's, where the bank refused it."""
    if code.startswith("ACQ_"):
        return _DECLINES_OF_BANKS.get(detailed_code, "card_declined")
    return _DECLINES_OF_CARDS.get(code, "declined")
