"""The messages between Snipcart and us, as frozen values; only this package knows Snipcart's key names.

Snipcart's reference and its own examples disagree on the casing of keys, so every key is read in any casing.
Everything but a session's id, amount and currency may be missing, and unknown fields are ignored; a field of
the wrong type raises BadAnswer.
"""

from snipcart_checkout.snipcart.messages import (
    ConfirmationAnswer,
    ConfirmationMessage,
    MethodsRequest,
    OfferedMethod,
    RefundCall,
)
from snipcart_checkout.snipcart.public_tokens import check_public_token
from snipcart_checkout.snipcart.reading import clean_text, read_json
from snipcart_checkout.snipcart.session import Address, Invoice, Item, PaymentSession

__all__ = [
    "Address",
    "ConfirmationAnswer",
    "ConfirmationMessage",
    "Invoice",
    "Item",
    "MethodsRequest",
    "OfferedMethod",
    "PaymentSession",
    "RefundCall",
    "check_public_token",
    "clean_text",
    "read_json",
]
