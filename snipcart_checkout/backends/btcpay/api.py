"""Calls to BTCPay Server's Greenfield API, and what goes wrong in words that are fit for a log.

Paths, fields and permissions are those of https://docs.btcpayserver.org/API/Greenfield/v1/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from snipcart_checkout.backends.btcpay.objects import (
    Invoice,
    PaymentMethod,
    Payout,
    PullPayment,
    UnreadableObject,
)

_T = TypeVar("_T")
_REFUSALS: Final = frozenset({400, 401, 403, 404, 422})
"""The statuses of a request that was not carried out. All others say nothing for sure."""
_CODE: Final = re.compile(r"[a-z0-9.-]{1,64}")
_FIELD: Final = re.compile(r"[A-Za-z.\[\]0-9]{1,64}")


class BTCPayOutcomeUnknown(Exception):
    """BTCPay Server gave no usable answer, so nothing is known. The text is fit for a log."""


class BTCPayRefused(Exception):
    """BTCPay Server answered that it did not do what it was asked. The text is fit for a log.

    ``field`` is the property of the request that was found invalid, or empty. ``is_unknown_path``:
    404, and not because there is no such invoice.
    """

    def __init__(self, text: str, *, field: str = "", is_unknown_path: bool = False) -> None:
        super().__init__(text)
        self.field = field
        self.is_unknown_path = is_unknown_path


@dataclass(frozen=True, kw_only=True)
class BTCPayApi:
    """One store at one BTCPay Server.

    Every method raises BTCPayRefused, BTCPayOutcomeUnknown, or what ``http`` raises when no answer
    arrives.
    """

    http: requests.Session = field(repr=False)
    url: str
    store_id: str
    api_key: str = field(repr=False)

    def create_invoice(self, body: Mapping[str, Any]) -> Invoice:
        """Create an invoice. A repeat creates another one."""
        return _read(Invoice.from_json, self._request("POST", self._store("invoices"), body=body))

    def get_invoice(self, invoice_id: str) -> Invoice:
        """Return an invoice, an archived one too."""
        return _read(Invoice.from_json, self._request_invoice("GET", invoice_id))

    def find_invoices(self, order_id: str) -> list[Invoice]:
        """Return the invoices with this ``orderId`` in their metadata, but for archived ones."""
        content = self._request("GET", self._store("invoices"), query={"orderId": order_id})
        return _read_list(Invoice.from_json, content)

    def newest_invoices(self) -> list[Invoice]:
        """Return the store's newest invoice, if there is one."""
        return _read_list(
            Invoice.from_json, self._request("GET", self._store("invoices"), query={"take": "1"})
        )

    def mark_invalid(self, invoice_id: str) -> None:
        """Mark an invoice as invalid, which succeeds even if money has just arrived for it."""
        self._request_invoice("POST", invoice_id, "status", body={"status": "Invalid"})

    def payment_methods(self, invoice_id: str) -> list[PaymentMethod]:
        """Return the ways to pay an invoice, each with the payments that arrived."""
        content = self._request_invoice("GET", invoice_id, "payment-methods")
        return _read_list(PaymentMethod.from_json, content)

    def create_refund(self, invoice_id: str, body: Mapping[str, Any]) -> PullPayment:
        """Create a pull payment that refunds an invoice. A repeat creates another one."""
        made = self._request_invoice("POST", invoice_id, "refund", body=body)
        return _read(PullPayment.from_json, made)

    def pull_payments(self) -> list[PullPayment]:
        """Return every pull payment of the store, archived ones too."""
        content = self._request("GET", self._store("pull-payments"), query={"includeArchived": "true"})
        return _read_list(PullPayment.from_json, content)

    def pull_payment(self, pull_payment_id: str) -> PullPayment:
        """Return a pull payment of any store of the server."""
        return _read(PullPayment.from_json, self._request("GET", _path("pull-payments", pull_payment_id)))

    def payouts(self, pull_payment_id: str) -> list[Payout]:
        """Return what was claimed of a pull payment that is not archived."""
        content = self._request("GET", _path("pull-payments", pull_payment_id, "payouts"))
        return _read_list(Payout.from_json, content)

    def permissions(self) -> list[str]:
        """Return what the API key may do: ``permission`` or ``permission:storeId``."""
        content = self._request("GET", _path("api-keys", "current"))
        granted = content.get("permissions") if isinstance(content, dict) else None
        if not isinstance(granted, list):
            raise BTCPayOutcomeUnknown("BTCPay Server answered with an API key without permissions")
        return [text for text in granted if isinstance(text, str)]

    def _store(self, *parts: str) -> str:
        return _path("stores", self.store_id, *parts)

    def _request_invoice(
        self, method: str, invoice_id: str, *parts: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """Ask by the path that BTCPay Server documents; where there is none, by the older one.

        It is in 2.4 and later. Servers before know the one that names the store alone.
        """
        try:
            return self._request(method, _path("invoices", invoice_id, *parts), body=body)
        except BTCPayRefused as refusal:
            if not refusal.is_unknown_path:
                raise
        return self._request(method, self._store("invoices", invoice_id, *parts), body=body)

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        answer = self.http.request(
            method,
            f"{self.url}{path}",
            params=query,
            json=body,
            headers={"Accept": "application/json"},
            auth=_TokenAuth(self.api_key),
        )
        if answer.status_code == HTTPStatus.OK:
            # An answer to a change of status need not be read: what counts is asked for afterwards.
            return _parse(answer.content)
        if answer.status_code in _REFUSALS:
            raise _refusal(answer)
        raise BTCPayOutcomeUnknown(f"BTCPay Server answered {answer.status_code}")


class _TokenAuth(AuthBase):
    """Puts the key into the request at the last moment: no variable of a traceback shows it."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"token {self._api_key}"
        return request


def _path(*parts: str) -> str:
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        pass
    # Outside of the handler, because a JSON error carries the whole text with it.
    raise BTCPayOutcomeUnknown("BTCPay Server answered with something that is not JSON")


def _refusal(answer: requests.Response) -> BTCPayRefused:
    """Read a ProblemDetails or the first of ValidationProblemDetails, but no free text."""
    problem = _problem(answer.content)
    detail = problem[0] if isinstance(problem, list) and problem else problem
    named = detail if isinstance(detail, Mapping) else {}
    texts = [_matching(_CODE, named.get(name)) for name in ("code", "missingPermission")]
    invalid = _matching(_FIELD, named.get("path"))
    reasons = " ".join(filter(None, (*texts, invalid)))
    return BTCPayRefused(
        f"BTCPay Server answered {answer.status_code} {reasons}".rstrip(),
        field=invalid,
        is_unknown_path=answer.status_code == HTTPStatus.NOT_FOUND and texts[0] != "invoice-not-found",
    )


def _problem(content: bytes) -> Any:
    try:
        return _parse(content)
    except BTCPayOutcomeUnknown:
        return None


def _matching(pattern: re.Pattern[str], text: object) -> str:
    return text if isinstance(text, str) and pattern.fullmatch(text) else ""


def _read(reader: Callable[[Any], _T], content: Any) -> _T:
    try:
        return reader(content)
    except UnreadableObject as error:
        raise BTCPayOutcomeUnknown(f"BTCPay Server answered with {error}") from None


def _read_list(reader: Callable[[Any], _T], content: Any) -> list[_T]:
    if not isinstance(content, list):
        raise BTCPayOutcomeUnknown("BTCPay Server answered with something that is not a list")
    return [_read(reader, item) for item in content]
