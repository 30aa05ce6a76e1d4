"""What travels between Snipcart and us, as frozen values; the only file that knows Snipcart's key names.

Snipcart's reference and its own examples disagree on the casing of keys, so every key is read in any casing.
Everything but a session's id, amount and currency may be missing, and unknown fields are ignored; a field of
the wrong type raises BadAnswer.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final, NoReturn

from snipcart_checkout.exceptions import BadAnswer, TokenMalformed, UnpayableOrder
from snipcart_checkout.money import UnpayableAmount, amount_of, currency_code, minor_units

__all__ = [
    "Address",
    "Confirmation",
    "ConfirmationAnswer",
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

_MAX_TEXT: Final = 500
_MAX_ID: Final = 255
_MAX_URL: Final = 4096
_MAX_ITEMS: Final = 2000
_MAX_DEPTH: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
# Control characters, lone surrogates, marks that reorder the text beside them, noncharacters.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
# Numbers that are only shown need no more digits: float noise goes, and a hostile exponent cannot fill the memory.
_FINEST: Final = Decimal("1E-9")
_DISPLAY: Final = Context(prec=28, traps=[])


def clean_text(value: str, limit: int = _MAX_TEXT) -> str:
    """Return text from outside made fit for a page, a log line and a database column."""
    text = (value if value.isprintable() else _UNSAFE.sub(" ", value)).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def check_public_token(values: Iterable[object]) -> str:
    """Return the one public token among all the places where a request may carry it.

    Empty values and equal repeats are passed over; Snipcart adds its own parameter to URLs that may
    already have one. Raises TokenMalformed.
    """
    candidates = [value for value in values if value != ""]
    if not candidates:
        raise TokenMalformed("the request holds no public token", missing=True)
    token = candidates[0]
    if any(candidate != token for candidate in candidates):
        raise TokenMalformed("the request holds two different public tokens", contradictory=True)
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise TokenMalformed("the public token is malformed")
    return token


def read_json(data: bytes) -> Any:
    """Parse JSON strictly; raise BadAnswer for anything that two parsers could read in two ways.

    Numbers become int or Decimal. Non-finite numbers, repeated keys, bytes that are not UTF-8 and nesting
    deeper than any of Snipcart's bodies are refused.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8-sig"))
        readable = _is_shallow(value)
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


class _Fields:
    """The members of one JSON object, found in any casing and checked for their type."""

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
        value = self._members.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadAnswer(f"{name} is not a text")
        return clean_text(value, limit)

    def number(self, name: str) -> Decimal | None:
        value = self._members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise BadAnswer(f"{name} is not a number")
        if isinstance(value, int) and abs(value) < 10**15:
            return Decimal(value)
        number = _DISPLAY.create_decimal(value)
        if not number.is_finite() or (number and number.adjusted() > 15):
            raise BadAnswer(f"{name} is absurd")
        short = number.quantize(_FINEST, context=_DISPLAY)
        return number if number == short != 0 else short or Decimal()

    def objects(self, name: str) -> list[Any]:
        value = self._members.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > _MAX_ITEMS:
            raise BadAnswer(f"{name} is not a list, or is too long")
        return value


@dataclass(frozen=True, kw_only=True)
class Address:
    """A billing or shipping address; every field may be empty. ``country`` is two upper-case letters."""

    name: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""

    @classmethod
    def from_json(cls, value: object) -> Address | None:
        """Read an address; None stays None."""
        if value is None:
            return None
        fields = _Fields(value)
        return cls(
            name=_join_names(fields.text("name"), fields.text("surname")),
            street=fields.text("streetandnumber"),
            postal_code=fields.text("postalcode"),
            city=fields.text("city"),
            region=fields.text("region"),
            country=fields.text("country").upper(),
        )


def _join_names(name: str, surname: str) -> str:
    # Snipcart's reference calls "name" the full name; its older text shows the first name there.
    if not surname or name == surname or name.endswith(f" {surname}"):
        return name
    if name and all(unicodedata.east_asian_width(part[0]) == "W" for part in (name, surname)):
        # In Chinese, Japanese and Korean characters the family comes first.
        return name if name.startswith(surname) else f"{surname}{name}"
    return f"{name} {surname}".strip()


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of an order, for display only: the lines need not add up to the amount.

    Amounts are in major units and may have any precision. ``type`` is Snipcart's own word.
    """

    name: str
    type: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal | None
    discount_amount: Decimal | None = None

    @classmethod
    def from_json(cls, value: object) -> Item:
        """Read one line."""
        fields = _Fields(value)
        return cls(
            name=fields.text("name"),
            type=fields.text("type", 40),
            quantity=fields.number("quantity"),
            unit_price=fields.number("unitprice"),
            amount=fields.number("amount"),
            discount_amount=fields.number("discountamount"),
        )

    @property
    def kind(self) -> str:
        """``discount``, ``shipping``, ``tax`` or, for every other type, ``goods``."""
        kind = self.type.lower()
        return kind if kind in {"discount", "shipping", "tax"} else "goods"


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What is to be paid, by whom, for what.

    ``amount`` (major units, with exactly the currency's decimals) is the only amount to charge;
    ``minor_units`` is the same as an integer. ``currency`` is upper-case ISO 4217. ``cart_id`` is Snipcart's
    ``targetId``.
    """

    amount: Decimal
    minor_units: int
    currency: str
    email: str = ""
    language: str = ""
    cart_id: str = ""
    billing_address: Address | None = None
    shipping_address: Address | None = None
    items: tuple[Item, ...] = ()

    @classmethod
    def from_json(cls, value: object) -> Invoice:
        """Read an invoice; raise UnpayableOrder when its total cannot be charged exactly."""
        fields = _Fields(value)
        units, currency = _payable(fields)
        return cls(
            amount=amount_of(units, currency),
            minor_units=units,
            currency=currency,
            email=fields.text("email", 320),
            language=fields.text("language", 35),
            cart_id=fields.text("targetid", _MAX_ID),
            billing_address=Address.from_json(fields.get("billingaddress")),
            shipping_address=Address.from_json(fields.get("shippingaddress")),
            items=tuple(map(Item.from_json, fields.objects("items"))),
        )

    @property
    def country(self) -> str:
        """The country of the billing address, else of the shipping address, else empty."""
        return next((a.country for a in (self.billing_address, self.shipping_address) if a and a.country), "")


def _payable(fields: _Fields) -> tuple[int, str]:
    amount, currency = fields.get("amount"), fields.get("currency")
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)) or not isinstance(currency, str):
        raise BadAnswer("amount or currency is missing or of the wrong type")
    problem = ""
    try:
        code = currency_code(currency)
        return minor_units(amount, code), code
    except UnpayableAmount as error:
        problem = str(error)
    raise UnpayableOrder(problem)


@dataclass(frozen=True, kw_only=True)
class PaymentSession:
    """Snipcart's payment session ("Payment session" of its reference).

    ``id`` is opaque and case-sensitive. ``return_url`` is the way back to the cart; as read from JSON it is
    unchecked and may be empty, as returned by ``get_payment_session`` it is checked. ``payment_method`` is
    the id that the shopper picked in the cart, where Snipcart tells it.
    """

    id: str
    invoice: Invoice
    return_url: str = ""
    payment_method: str = ""

    @classmethod
    def from_json(cls, value: object) -> PaymentSession:
        """Read a session; raise BadAnswer, or its subclass UnpayableOrder."""
        fields = _Fields(value)
        identifier = fields.get("id")
        if not isinstance(identifier, str) or not 0 < len(identifier) <= _MAX_ID:
            raise BadAnswer("the session has no usable id")
        if clean_text(identifier) != identifier:
            raise BadAnswer("the session's id holds characters that no id has")
        return cls(
            id=identifier,
            invoice=Invoice.from_json(fields.get("invoice")),
            return_url=_url(fields.get("paymentauthorizationredirecturl")),
            payment_method=fields.text("paymentmethod", _MAX_ID),
        )


def _url(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadAnswer("a link is not a text")
    # Left as it came, so that the check of links sees every character that a browser would see.
    return value[: _MAX_URL + 1]


@dataclass(frozen=True, kw_only=True)
class MethodsRequest:
    """The body of the payment-methods webhook; ``tokens`` are all the public tokens that it holds."""

    is_test: bool
    invoice: Invoice | None
    tokens: tuple[object, ...]

    @classmethod
    def from_json(cls, value: object) -> MethodsRequest:
        """Read the webhook's body. ``invoice`` is None when its amount or currency cannot be paid.

        Raises BadAnswer.
        """
        tokens = _tokens_in(value)
        fields = _Fields(_without_token(value))
        mode = fields.get("mode")
        return cls(
            # Any word but "test" counts as live: a live order must never be taken for a trial.
            is_test=isinstance(mode, str) and mode.lower() == "test",
            invoice=_payable_invoice(fields.get("invoice")),
            tokens=tokens,
        )


def _payable_invoice(value: object) -> Invoice | None:
    try:
        return Invoice.from_json(value)
    except UnpayableOrder:
        return None


def _tokens_in(value: object) -> tuple[object, ...]:
    members = value.items() if isinstance(value, dict) else ()
    return tuple(member for key, member in members if key.lower() == "publictoken" and member is not None)


def _without_token(value: object) -> object:
    # Two different tokens are the caller's mistake to hear about, not an unreadable body.
    if not isinstance(value, dict):
        return value
    return {key: member for key, member in value.items() if key.lower() != "publictoken"}


@dataclass(frozen=True, kw_only=True)
class OfferedMethod:
    """A payment method as the payment-methods webhook answers it; URLs are absolute."""

    id: str
    name: str
    checkout_url: str
    icon_url: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the object that Snipcart expects; without an icon the key is left out."""
        method = {"id": self.id, "name": self.name, "checkoutUrl": self.checkout_url}
        return {**method, "iconUrl": self.icon_url} if self.icon_url else method


@dataclass(frozen=True, kw_only=True)
class RefundCall:
    """The body of the refund webhook. ``amount`` is in major units, unchecked; None where there is none.

    ``paymentId`` is not read: whether it is Snipcart's id or ours is not documented, and the address already says
    which payment.
    """

    amount: object
    tokens: tuple[object, ...]

    @classmethod
    def from_body(cls, data: bytes) -> RefundCall:
        """Read the webhook's body. Never raises: who asks is checked before what is asked."""
        tokens: tuple[object, ...] = ()
        try:
            value = read_json(data)
            tokens = _tokens_in(value)
            return cls(amount=_Fields(_without_token(value)).get("amount"), tokens=tokens)
        except BadAnswer:
            return cls(amount=None, tokens=tokens)


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What came of a payment, as told to Snipcart ("Create payment" of its reference).

    ``transaction_id`` is always sent: the reference asks for it although its own failed example has none.
    """

    session_id: str
    state: str
    transaction_id: str
    instructions: str = ""
    refund_url: str = ""
    error_code: str = ""
    error_message: str = ""

    def to_body(self) -> str:
        """Return the JSON text; the same value always gives the same text."""
        body: dict[str, object] = {
            "paymentSessionId": self.session_id,
            "state": self.state,
            "transactionId": self.transaction_id,
        }
        if self.error_code:
            message = {"message": self.error_message} if self.error_message else {}
            body["error"] = {"code": self.error_code, **message}
        if self.instructions:
            body["instructions"] = self.instructions
        if self.refund_url:
            body["links"] = {"refunds": self.refund_url}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class ConfirmationAnswer:
    """Snipcart's answer to a confirmation; ``return_url`` is unchecked and may be empty."""

    return_url: str = ""

    @classmethod
    def from_body(cls, data: bytes) -> ConfirmationAnswer:
        """Read the answer. A 2xx means recorded whatever the body says, so this never raises."""
        try:
            return cls(return_url=_url(_Fields(read_json(data)).get("returnurl")))
        except BadAnswer:
            return cls()
