"""What Snipcart accepts: confirmations, payment methods, answers to refunds, and URLs.

Everything is checked as strictly as Snipcart's reference can be read, so that a mistake shows here and not in a live
shop. A ``*_problem`` function returns None for what is right, else one English sentence for the developer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

STATES: Final = ("processing", "processed", "failed", "invalidated")
MODES: Final = ("live", "test")
ITEM_TYPES: Final = ("Physical", "Digital", "Tax", "Shipping", "Discount")
RESERVED_METHOD_IDS: Final = frozenset(
    "card paypal paypal_express_checkout apple_pay bancontact belfius eps giropay ideal ing_home_pay kbc "
    "klarna_pay_later klarna_slice_it p24 sepa_debit sofort deferred_payment".split()
)
"""Ids that the cart knows itself, and shows under its own names."""

LANGUAGES: Final = tuple(
    "ar az bg bn br-FR bs ca cs cy da de de-CH el en en-AU en-GB en-US es et fi fr fr-CA fr-FR ga he hi hr hu id is it "
    "ja ka kk ko kz lt lv mk ms mt nl no pl pt pt-BR pt-PT ro ru sk sl sq sr sv th tl tr ua uk uz vi zh zh-CN zh-hk "
    "zh-TW".split()
)
"""The cart's languages: the file names of its published translations."""

_CONFIRMATION_FIELDS: Final = ("paymentSessionId", "state", "transactionId", "error", "instructions", "links")
_METHOD_FIELDS: Final = ("id", "name", "checkoutUrl", "iconUrl")


def confirmation_problem(body: object) -> str | None:
    """Return what is wrong with the body of ``POST …/payment`` ("Create payment" of Snipcart's reference)."""
    if not isinstance(body, dict):
        return f"The body has to be a JSON object, not {_kind(body)}."
    return (
        _unknown_field(body, _CONFIRMATION_FIELDS, "the body")
        or _text_problem(body, "paymentSessionId", required=True)
        or _state_problem(body)
        # Snipcart's own example of a failed payment has no transaction id.
        or _text_problem(body, "transactionId", required=body["state"] != "failed")
        or _text_problem(body, "instructions")
        or _error_problem(body.get("error"))
        or _links_problem(body)
    )


def _unknown_field(value: Mapping[str, Any], known: Sequence[str], where: str) -> str | None:
    unknown = next((key for key in value if key not in known), None)
    if unknown is None:
        return None
    near = get_close_matches(unknown.lower(), [name.lower() for name in known], 1)
    meant = next((f" Did you mean {name!r}?" for name in known if near and name.lower() == near[0]), "")
    return f"{unknown!r} is not a field of {where}.{meant} Known are {', '.join(known)}."


def _text_problem(
    value: Mapping[str, Any], name: str, *, required: bool = False, where: str = ""
) -> str | None:
    label = f"{where}.{name}" if where else name
    if name not in value:
        return f"{label!r} is missing." if required else None
    if not isinstance(value[name], str):
        return f"{label!r} has to be a text, not {_kind(value[name])}."
    return f"{label!r} is empty." if required and not value[name].strip() else None


def _state_problem(body: Mapping[str, Any]) -> str | None:
    if problem := _text_problem(body, "state", required=True):
        return problem
    if body["state"] in STATES:
        return None
    return f"{body['state']!r} is not a state. It has to be one of {', '.join(STATES)}, in lower case."


def _error_problem(error: object) -> str | None:
    if error is None:
        return None
    if not isinstance(error, dict):
        return f"'error' has to be an object with 'code' and 'message', not {_kind(error)}."
    return (
        _unknown_field(error, ("code", "message"), "'error'")
        or _text_problem(error, "code", required=True, where="error")
        or _text_problem(error, "message", where="error")
    )


def _links_problem(body: Mapping[str, Any]) -> str | None:
    if "links" not in body:
        return None
    links = body["links"]
    if not isinstance(links, dict):
        return f"'links' has to be an object with 'refunds', not {_kind(links)}."
    if problem := _unknown_field(links, ("refunds",), "'links'") or _text_problem(
        links, "refunds", required=True, where="links"
    ):
        return problem
    problem = url_problem(links["refunds"])
    return f"'links.refunds' {problem}." if problem else None


def methods_problem(answer: object) -> str | None:
    """Return what is wrong with a whole answer of the payment-methods webhook; an empty list is right."""
    if not isinstance(answer, list):
        return f"The answer has to be a bare JSON array of payment methods, not {_kind(answer)}."
    if problem := next(filter(None, map(method_problem, answer)), None):
        return problem
    ids = [method["id"] for method in answer]
    twice = next((identifier for identifier in ids if ids.count(identifier) > 1), None)
    return f"The id {twice!r} stands twice." if twice is not None else None


def method_problem(method: object) -> str | None:
    """Return what is wrong with one payment method: why the cart would not show it, or not as it is meant."""
    if not isinstance(method, dict):
        return f"A payment method has to be an object, not {_kind(method)}."
    if problem := _unknown_field(method, _METHOD_FIELDS, "a payment method") or next(
        filter(None, (_text_problem(method, name, required=True) for name in ("id", "name", "checkoutUrl"))),
        None,
    ):
        return problem
    if method["id"] in RESERVED_METHOD_IDS:
        return f"The id {method['id']!r} is one of Snipcart's own: the cart would show its own name for it."
    if problem := url_problem(method["checkoutUrl"]):
        return f"'checkoutUrl' {problem}: the cart drops the method without a word."
    if "iconUrl" not in method:
        return None
    problem = _text_problem(method, "iconUrl", required=True)
    return problem or ((wrong := url_problem(method["iconUrl"])) and f"'iconUrl' {wrong}.") or None


def refund_answer_problem(answer: object) -> str | None:
    """Return what is wrong with the answer to a refund: it has to hold a ``refundId``."""
    if not isinstance(answer, dict):
        return f"The answer has to be a JSON object with 'refundId', not {_kind(answer)}."
    return _text_problem(answer, "refundId", required=True)


def url_problem(url: str) -> str | None:
    """Return in one clause why Snipcart would not call or open a URL; http is right only on this machine."""
    if any(character.isspace() or not character.isprintable() for character in url):
        return "holds a space or a control character"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "is not an absolute https URL"
    if "@" in parts.netloc:
        return "holds a user name"
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return "is not https"
    return None


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(
        type(value), f"the number {json.dumps(value)}" if isinstance(value, (int, float)) else "this"
    )
