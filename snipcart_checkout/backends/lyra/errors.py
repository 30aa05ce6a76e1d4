"""What an error of Lyra's proves.

Codes are of https://docs.lyra.com/en/rest/V4.0/api/errors-reference.html and the pages it leads to. New ones may come
at any time, so a code that stands in no table proves nothing.
"""

from __future__ import annotations

import re
from typing import Final

_CODE: Final = re.compile(r"[A-Z]{2,10}_[0-9]{2,5}")
_INTEGRATION: Final = re.compile(r"INT_[0-9]{3}")
"""Errors "on the merchant side": what was sent is not acceptable, so nothing was done with it."""

TRANSACTION_NOT_FOUND: Final = "PSP_010"
PAYMENT_ORDER_NOT_FOUND: Final = "PSP_1000"
BAD_CREDENTIALS: Final = "INT_905"
BAD_LOCALE: Final = "INT_856"
CANCEL_IMPOSSIBLE: Final = frozenset({"PSP_075", "PSP_675"})
"""The transaction was captured in the meantime: it can be refunded."""
REFUND_NOT_YET: Final = frozenset({"PSP_076", "PSP_676"})
"""The transaction was not captured yet: it can be cancelled."""

_REFUSALS: Final = frozenset(
    {
        "PSP_001",  # action not allowed
        "PSP_002",  # invalid attribute
        TRANSACTION_NOT_FOUND,
        "PSP_011",  # wrong status of the transaction
        "PSP_014",  # no change
        "PSP_015",  # too many results
        "PSP_020",  # invalid amount
        "PSP_021",  # unknown currency
        "PSP_025",  # unknown contract
        "PSP_027",  # no contract for these tid and mid
        "PSP_040",  # amount not allowed
        "PSP_042",  # not enough balance
        "PSP_043",  # refunds not allowed for the contract
        "PSP_075",  # cannot be cancelled, can be refunded
        "PSP_076",  # cannot be refunded yet, can be cancelled
        "PSP_077",  # the acquirer does not refund this card
        "PSP_078",
        "PSP_079",
        "PSP_080",
        "PSP_082",  # no credit of this type of transaction
        "PSP_083",  # unpaid, so not refundable
        "PSP_090",  # refund not allowed
        "PSP_092",  # cannot be cancelled
        "PSP_093",  # cannot be refunded
        "PSP_099",  # too many attempts
        "PSP_100",  # the shop's offer has no REST API
        "PSP_101",  # cannot be refunded
        "PSP_102",  # cannot be cancelled
        "PSP_103",  # no amount in this context
        "PSP_104",  # already refunded
        "PSP_105",  # already cancelled
        "PSP_106",  # too many calls
        "PSP_109",  # production is not activated
        "PSP_110",  # cannot be updated
        "PSP_112",  # the means of payment has expired
        "PSP_116",  # not for suppliers
        "PSP_117",  # the supplier has no right
        "PSP_502",  # transaction not found
        "PSP_503",  # not with this status
        "PSP_504",  # not in this context
        "PSP_506",  # invalid amount
        "PSP_507",  # no longer possible for this date
        "PSP_508",  # the card has expired
        "PSP_510",  # more than the first amount
        "PSP_511",  # more than is left
        "PSP_519",  # unknown currency
        "PSP_521",  # no contract for this payment
        "PSP_522",  # shop not found
        "PSP_523",  # ambiguous contract
        "PSP_524",  # invalid contract
        "PSP_545",  # wrong currency
        "PSP_546",  # more than was authorised
        "PSP_548",  # invalid change
        "PSP_550",  # unknown shop
        "PSP_552",  # closed contract
        "PSP_553",  # closed shop
        "PSP_582",  # refund not allowed
        "PSP_583",  # amount out of range
        "PSP_588",  # too late for a refund
        "PSP_589",  # change not allowed
        "PSP_606",  # the contract has another currency
        "PSP_610",  # no contract for amount, currency and mode
        "PSP_612",  # cancellation not allowed
        "PSP_615",  # refund not allowed
        "PSP_638",  # no partial refund of this transaction
        "PSP_639",  # refund declined
        "PSP_659",  # less than the smallest amount
        "PSP_660",  # unpaid, so not refundable
        "PSP_675",  # cannot be cancelled, can be refunded
        "PSP_676",  # cannot be refunded, can be cancelled
        "PSP_678",  # already cancelled
        PAYMENT_ORDER_NOT_FOUND,
        "PSP_1005",  # the payment order is finished
        "PSP_1006",  # the payment order has expired
        "PSP_1007",  # wrong expiration date
        "PSP_1008",  # no expiration date
        "PSP_1010",  # a payment order of another shop
        "PSP_1011",  # a payment order of the other mode
        "PSP_1012",  # wrong locale
        "PSP_1016",  # this channel does not exist
        "PSP_1018",  # no data collection form
        "PSP_1024",  # no amount
        "PSP_1025",  # no e-mail address for the receipt
        "PSP_1035",  # not the shop's currency
        "PSP_1036",  # the reference exists
        "PSP_1051",  # the shop has no payment orders
        "PSP_1053",  # a URL is too long
        "PSP_1072",  # amount not allowed
        "PSP_1101",  # the payment order is cancelled
    }
)
"""Codes with which Lyra says that it did not do what it was asked."""


def to_error_code(value: object) -> str:
    """Return one of Lyra's codes as it is, and an empty text for anything else, so that it is fit for a log."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def is_refusal(code: str) -> bool:
    """Return whether a code proves that nothing was done."""
    return code in _REFUSALS or _INTEGRATION.fullmatch(code) is not None
