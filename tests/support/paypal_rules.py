"""What PayPal's published specification demands of the requests that the backend sends, as far as it sends any.

Orders v2 (2.13), Payments v2 (2.5), Webhooks v1 (1.11): https://github.com/paypal/paypal-rest-api-specifications.
Fields, patterns and lengths are the specification's. A field that is not listed is refused, although PayPal ignores it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class Text:
    """A text of a pattern and a length."""

    pattern: str = r"[\s\S]*"
    least: int = 1
    most: int = 127


@dataclass(frozen=True)
class Fields:
    """An object; names that end with ``?`` may be left out."""

    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Only:
    """A list of exactly one."""

    member: Any


MONEY: Final = Fields(
    {
        "currency_code": Text(r"[A-Z]{3}", 3, 3),
        "value": Text(r"((-?[0-9]+)|(-?([0-9]+)?[.][0-9]+))", 1, 32),
    }
)
_URI: Final = Text(r"https?://[^\s]+", 1, 4000)
EXPERIENCE: Final = Fields(
    {
        "brand_name?": Text(r".*"),
        "locale?": Text(r"[a-z]{2}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?", 2, 10),
        "shipping_preference": Text("GET_FROM_FILE|NO_SHIPPING|SET_PROVIDED_ADDRESS"),
        "return_url": _URI,
        "cancel_url": _URI,
        "landing_page?": Text("LOGIN|GUEST_CHECKOUT|NO_PREFERENCE"),
        "user_action": Text("CONTINUE|PAY_NOW"),
        "payment_method_preference?": Text("UNRESTRICTED|IMMEDIATE_PAYMENT_REQUIRED"),
    }
)
ORDER: Final = Fields(
    {
        "intent": Text("CAPTURE|AUTHORIZE"),
        "purchase_units": Only(
            Fields(
                {
                    "reference_id?": Text(most=256),
                    "amount": MONEY,
                    "description?": Text(),
                    "custom_id": Text(),
                    "invoice_id": Text(),
                }
            )
        ),
        "payment_source": Fields({"paypal": Fields({"experience_context": EXPERIENCE})}),
    }
)
CAPTURE: Final = Fields()
PATCH: Final = Only(
    Fields(
        {"op": Text("add|remove|replace|move|copy|test"), "path": Text(), "value?": Text(), "from?": Text()}
    )
)
REFUND: Final = Fields(
    {
        "amount": MONEY,
        "custom_id": Text(r"[A-Za-z0-9-_.,]*"),
        "invoice_id?": Text(r".*"),
        "note_to_payer?": Text(r".*", most=255),
    }
)
VERIFY: Final = Fields(
    {
        "auth_algo": Text(r"[a-zA-Z0-9]+", most=100),
        "cert_url": Text(r"\S+", most=500),
        "transmission_id": Text(r"(?!\d+$)\w+\S+", most=50),
        "transmission_sig": Text(r"(?!\d+$)\w+\S+", most=500),
        "transmission_time": Text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", most=100),
        "webhook_id": Text(r"[a-zA-Z0-9]+", most=50),
        "webhook_event": dict,
    }
)
REQUEST_ID: Final = re.compile(r"[\s\S]{1,108}")
PREFER: Final = re.compile(r"[a-zA-Z=]{1,25}")
ORDER_ID: Final = re.compile(r"[A-Z0-9]{1,36}")

DECIMALS: Final = {
    **dict.fromkeys(
        "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN RUB SEK SGD THB USD".split(), 2
    ),
    **dict.fromkeys("HUF JPY TWD".split(), 0),
}
"""https://developer.paypal.com/api/rest/reference/currency-codes/"""


def problems(value: Any, rule: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Yield the JSON pointer and PayPal's issue of everything in a value that breaks a rule."""
    if isinstance(rule, Text):
        yield from _text_problems(value, rule, pointer)
    elif isinstance(rule, Only):
        if not isinstance(value, list) or len(value) != 1:
            yield pointer, "INVALID_ARRAY_MAX_ITEMS"
        else:
            yield from problems(value[0], rule.member, f"{pointer}/0")
    elif isinstance(rule, Fields):
        yield from _field_problems(value, rule, pointer)
    elif not isinstance(value, rule):
        yield pointer, "INVALID_PARAMETER_SYNTAX"


def _text_problems(value: Any, rule: Text, pointer: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str) or not re.fullmatch(rule.pattern, value):
        yield pointer, "INVALID_PARAMETER_SYNTAX"
    elif not rule.least <= len(value) <= rule.most:
        yield pointer, "INVALID_STRING_LENGTH"


def _field_problems(value: Any, rule: Fields, pointer: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield pointer, "INVALID_PARAMETER_SYNTAX"
        return
    known = {name.rstrip("?"): member for name, member in rule.members.items()}
    yield from ((f"{pointer}/{name}", "NOT_SUPPORTED") for name in value.keys() - known.keys())
    for name, member in rule.members.items():
        if name.rstrip("?") in value:
            yield from problems(value[name.rstrip("?")], member, f"{pointer}/{name.rstrip('?')}")
        elif not name.endswith("?"):
            yield f"{pointer}/{name}", "MISSING_REQUIRED_PARAMETER"
