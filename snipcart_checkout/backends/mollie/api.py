"""Calls to Mollie's API v2, https://docs.mollie.com/reference/overview: never repeated, and never logged.

Mollie's own library for Python is not used. It makes a requests.Session of its own, without a way to hand in one that
keeps to the site's limits, sends the name of the machine with each call, and prints the key in an exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import requests

from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.mollie.objects import (
    MolliePayment,
    MollieProfile,
    MollieRefund,
    RefundPage,
    is_id,
)

_T = TypeVar("_T")
_API: Final = "https://api.mollie.com/v2"
_DONE: Final = frozenset({200, 201})
_REFUSED: Final = frozenset({400, 401, 403, 404, 405, 410, 415, 422})
"""Answers that say that nothing was done (https://docs.mollie.com/reference/handling-errors).

A 409 may be about the first call with the same key, which is still under way; 408, 425, 429 and 5xx say nothing.
"""
_FIELD: Final = re.compile(r"[A-Za-z0-9_.\[\]]{1,64}")
_DUPLICATE: Final = re.compile(r"\bduplicate refund\b", re.IGNORECASE)
_FROM: Final = re.compile(r"[?&]from=(re_[A-Za-z0-9_-]{1,64})(?:&|$)", re.ASCII)
_REFUNDS_A_PAGE: Final = 250  # the most that Mollie gives
_MOST_PAGES: Final = 20


class MollieOutcomeUnknown(Exception):
    """Mollie gave no usable answer, so what came of the call is not known. The text is fit for a log."""


class MollieRefused(Exception):
    """Mollie answered that it did not do what it was asked. ``status`` is HTTP's; the text is fit for a log.

    ``field`` is the field of the request that Mollie objects to, or empty.
    """

    def __init__(self, text: str, *, status: int, field: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.field = field


class MollieDuplicateRefund(MollieRefused):
    """Mollie made no refund, because one of the same amount was made of the same payment within the last hour."""


class MollieApi:
    """What the backend asks of Mollie. Every method raises MollieRefused, MollieOutcomeUnknown or ProviderUnavailable."""

    def __init__(self, http: requests.Session, api_key: str) -> None:
        self._http = http
        self._api_key = api_key

    def create_payment(self, body: Mapping[str, Any], *, key: str) -> MolliePayment:
        """Create a payment, once per key within an hour; a repeat returns it as it now is.

        A repeated answer that the first call failed is a refusal: Mollie says nothing else for an hour, and nobody has
        seen a link of a payment that may yet exist.
        """
        response = self._send("POST", "/payments", body=body, key=key)
        is_replayed = response.headers.get("Idempotent-Replayed") == "true"
        if is_replayed and response.status_code >= 500:
            raise MollieRefused("Mollie repeats that the first call failed", status=response.status_code)
        payment = _read(response, MolliePayment.from_json)
        # A repeat is the first answer word for word, whatever happened to the payment since.
        return self.get_payment(payment.id) if is_replayed else payment

    def get_payment(self, payment_id: str, *, with_refunds: bool = False) -> MolliePayment:
        """Return a payment."""
        query = {"embed": "refunds"} if with_refunds else None
        return _read(self._send("GET", _path(payment_id), query=query), MolliePayment.from_json)

    def cancel_payment(self, payment_id: str) -> MolliePayment:
        """End a payment that is not paid; MollieRefused when it cannot be ended any more."""
        return _read(self._send("DELETE", _path(payment_id)), MolliePayment.from_json)

    def create_refund(self, payment_id: str, body: Mapping[str, Any], *, key: str) -> MollieRefund:
        """Make a refund, once per key within an hour. A refund that Mollie takes for a duplicate is not made."""
        response = self._send("POST", f"{_path(payment_id)}/refunds", body=body, key=key)
        return _read(response, MollieRefund.from_json)

    def find_refund(self, payment_id: str, reference: str) -> MollieRefund | None:
        """Return the refund of a payment that was made under our reference."""
        query: dict[str, str] | None = {"limit": str(_REFUNDS_A_PAGE)}
        for _ in range(_MOST_PAGES):
            response = self._send("GET", f"{_path(payment_id)}/refunds", query=query)
            page = _read(response, RefundPage.from_json)
            if refund := next((each for each in page.refunds if each.reference == reference), None):
                return refund
            if not page.next_url:
                return None
            query = _next_query(page.next_url)
        raise MollieOutcomeUnknown("Mollie lists more refunds of the payment than can be looked through")

    def get_profile(self) -> MollieProfile:
        """Return the website profile that the key belongs to."""
        return _read(self._send("GET", "/profiles/me"), MollieProfile.from_json)

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        key: str = "",
        query: Mapping[str, str] | None = None,
    ) -> requests.Response:
        headers = {"Accept": "application/hal+json", "Authorization": f"Bearer {self._api_key}"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            return self._http.request(
                method, f"{_API}{path}", headers=headers, json=body, params=query, allow_redirects=False
            )
        except ProviderUnavailable:
            raise
        except Exception as error:  # an unusable header, and the text holds it
            problem = type(error).__name__
        # Outside of the handler, so that what was raised is not even the context of ours.
        raise MollieOutcomeUnknown(f"the call to Mollie ended with {problem}")


def _path(payment_id: str) -> str:
    if not is_id(payment_id, "tr"):
        raise MollieOutcomeUnknown("the payment's id is not one of Mollie's")
    return f"/payments/{payment_id}"


def _next_query(url: str) -> dict[str, str]:
    """Return the query of the next page. Only its start is taken over: the key goes nowhere that an answer names."""
    if not (start := _FROM.search(url)):
        raise MollieOutcomeUnknown("Mollie's list of refunds cannot be followed")
    return {"limit": str(_REFUNDS_A_PAGE), "from": start[1]}


def _read(response: requests.Response, read: Callable[[object], _T]) -> _T:
    problem = f"Mollie answered {response.status_code}"
    try:
        content = response.json()
        if response.status_code in _DONE:
            return read(content)
    except Exception:  # cut, too deep, no JSON, or not of the kind that was asked for
        content = None
        problem += " with something else than what was requested"
    refused = _refusal(response.status_code, content)
    raise refused or MollieOutcomeUnknown(problem)


def _refusal(status: int, content: object) -> MollieRefused | None:
    """Return what Mollie refused; None where the answer is not Mollie's own or does not say that nothing was done."""
    if not isinstance(content, dict) or content.get("status") != status:
        return None
    field = str(content.get("field") or "")
    field = field if _FIELD.fullmatch(field) else ""
    text = f"Mollie answered {status}" + (f" about the field {field}" if field else "")
    if status == 409 and _DUPLICATE.search(str(content.get("detail"))):
        return MollieDuplicateRefund(text, status=status)
    return MollieRefused(text, status=status, field=field) if status in _REFUSED else None
