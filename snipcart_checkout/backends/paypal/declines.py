"""PayPal's reasons for a payment that was not made, and our codes for them.

Sources: the errors of ``orders.create`` and ``orders.capture`` in
https://github.com/paypal/paypal-rest-api-specifications.
"""

from __future__ import annotations

from typing import Final

CAPTURE_DECLINES: Final = {
    "AGREEMENT_ALREADY_CANCELLED": "declined",
    "AUTH_CAPTURE_NOT_ENABLED": "declined",
    "BILLING_AGREEMENT_NOT_FOUND": "declined",
    "CARD_BRAND_NOT_SUPPORTED": "card_not_supported",
    "COMPLIANCE_VIOLATION": "declined",
    "DECLINED_DUE_TO_RELATED_TXN": "declined",
    "DOMESTIC_TRANSACTION_REQUIRED": "declined",
    "INSTRUMENT_DECLINED": "declined",
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": "declined",
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": "declined",
    "PAYEE_ACCOUNT_RESTRICTED": "declined",
    "PAYEE_BLOCKED_TRANSACTION": "declined",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": "declined",
    "PAYER_ACCOUNT_RESTRICTED": "declined",
    "PAYER_ACTION_REQUIRED": "declined",
    "PAYER_CANNOT_PAY": "declined",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": "declined",
    "REFERENCED_CARD_EXPIRED": "expired",
    "TRANSACTION_BLOCKED_BY_PAYEE": "declined",
    "TRANSACTION_LIMIT_EXCEEDED": "amount_not_supported",
    "TRANSACTION_RECEIVING_LIMIT_EXCEEDED": "amount_not_supported",
    "TRANSACTION_REFUSED": "declined",
}
"""Refusals to capture that are about this payment. Any other, such as a missing permission, is for the shop to mend."""

CREATE_DECLINES: Final = {
    "CANNOT_BE_NEGATIVE": "amount_not_supported",
    "CANNOT_BE_ZERO_OR_NEGATIVE": "amount_not_supported",
    "DECIMAL_PRECISION": "amount_not_supported",
    "INVALID_CURRENCY_CODE": "currency_not_supported",
    "MAX_VALUE_EXCEEDED": "amount_not_supported",
    "TRANSACTION_LIMIT_EXCEEDED": "amount_not_supported",
    "TRANSACTION_RECEIVING_LIMIT_EXCEEDED": "amount_not_supported",
}
"""Refusals of an order that the shopper can do something about; every other one is ``declined``."""
