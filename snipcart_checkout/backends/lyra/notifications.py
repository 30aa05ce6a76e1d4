"""Lyra's instant payment notifications (IPN): which are genuine, and which charge they are about.

https://docs.lyra.com/en/rest/V4.0/api/kb/ipn_usage.html: a form whose ``kr-answer`` is JSON and whose ``kr-hash`` is
its HMAC-SHA-256, in hexadecimal digits. ``kr-hash-key`` says with what: the shop's password for what Lyra's servers
send, its HMAC key for what comes by way of a browser.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from snipcart_checkout.exceptions import BadAnswer, NotificationRefused
from snipcart_checkout.snipcart.reading import read_json

_NOBODY: Final = UUID(int=0)
_WITH_MONEY: Final = ("PAID", "RUNNING")
"""The ``orderStatus`` of an order whose money is there or on its way. With any other, UNPAID for a refused card or
ABANDONED, the shopper may still be at Lyra's page, and nothing is to be asked."""
_MAX_FIELDS: Final = 50


def read_reference(body: bytes, keys: Mapping[str, str], *, mode: str, shop_id: str) -> UUID:
    """Return our reference of the charge that a notification is about, once one of the keys proves it genuine.

    ``keys`` holds a key for each ``kr-hash-key`` that is believed. A genuine notification about anything that is not a
    charge of ours, or about one that nobody has paid, has the reference of nobody, so that Lyra does not send it again. Lyra signs no time: an old one that
    is sent again is genuine, too, and leads to one more look-up. Raises NotificationRefused.
    """
    form = _read_form(body)
    signed = form.get("kr-answer", "")
    if not _is_signed(signed, form, keys):
        raise NotificationRefused("no key of Lyra fits the notification")
    try:
        answer = read_json(signed.encode())
    except BadAnswer:
        raise NotificationRefused("the notification of Lyra cannot be read") from None
    return _reference(answer, mode=mode, shop_id=shop_id)


def _read_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise NotificationRefused("the notification is not a form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise NotificationRefused("a field of the notification stands twice")
    return form


def _is_signed(signed: str, form: Mapping[str, str], keys: Mapping[str, str]) -> bool:
    key = keys.get(form.get("kr-hash-key", ""), "")
    if not signed or not key or form.get("kr-hash-algorithm") != "sha256_hmac":
        return False
    sent = form.get("kr-hash", "").encode()
    return any(hmac.compare_digest(digest, sent) for digest in _digests(signed, key))


def _digests(signed: str, key: str) -> Iterator[bytes]:
    # Lyra's own library (https://github.com/lyra/rest-php-sdk, checkHash) takes slashes that were escaped on the way as
    # plain ones; both spellings are the same JSON.
    for text in (signed, signed.replace("\\/", "/")):
        yield hmac.new(key.encode(), text.encode(), "sha256").hexdigest().encode()


def _reference(answer: Any, *, mode: str, shop_id: str) -> UUID:
    details = answer.get("orderDetails") if isinstance(answer, dict) else None
    if not isinstance(details, dict):
        return _NOBODY
    if details.get("mode") != mode or answer.get("shopId") != shop_id:
        raise NotificationRefused("the notification is of another shop or mode")
    if answer.get("orderStatus") not in _WITH_MONEY:
        return _NOBODY
    # The shop may sell elsewhere, too, and name its orders as it likes.
    named = details.get("orderId")
    try:
        reference = UUID(named) if isinstance(named, str) else _NOBODY
    except ValueError:
        return _NOBODY
    return reference if str(reference) == named else _NOBODY
