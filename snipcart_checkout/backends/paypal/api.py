"""Calls to PayPal: what is sent, and which answers say that nothing was done.

Written for Orders v2 (2.13), Payments v2 (2.5) and Webhooks v1 (1.11) of PayPal's published specification,
https://github.com/paypal/paypal-rest-api-specifications. The version is part of each path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

import requests
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends.paypal.objects import Order, Refund
from snipcart_checkout.backends.paypal.tokens import account_key, drop_token, get_token, store_token
from snipcart_checkout.exceptions import BadAnswer
from snipcart_checkout.snipcart import read_json

_T = TypeVar("_T")

_CODE: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
_DEBUG_ID: Final = re.compile(r"[a-z0-9]{1,32}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_UNAUTHORIZED: Final = 401
_UNCLEAR: Final = frozenset({408, 409, 425, 429})
"""4xx that do not say that nothing was done, or that ask for patience. 409 means that the same is under way."""


class PayPalOutcomeUnknown(Exception):
    """PayPal gave no usable answer, so what came of the call is not known. The text is fit for a log."""


class PayPalRefused(Exception):
    """PayPal answered that it did not do what it was asked.

    ``code`` is PayPal's ``issue``, else its ``name``, or empty; ``field`` is the one that it is about, or empty. The
    text is fit for a log.
    """

    def __init__(self, text: str, *, code: str = "", field: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.field = field


class PayPalApi:
    """What the backend asks of PayPal.

    Every method raises PayPalRefused, PayPalOutcomeUnknown, or ProviderUnavailable where no whole answer arrived.
    """

    def __init__(self, http: requests.Session, url: str, client_id: str, client_secret: str) -> None:
        self._http = http
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._account = account_key(url, client_id, client_secret)

    def create_order(self, body: Mapping[str, Any], *, key: str) -> Order:
        """Create an order, once per key; a repeat within PayPal's 6 hours returns it as it now is."""
        return self._read(Order.from_json, self._call("POST", "/v2/checkout/orders", body, key=key))

    def order(self, order_id: str) -> Order:
        """Return an order."""
        return self._read(Order.from_json, self._call("GET", f"/v2/checkout/orders/{_segment(order_id)}"))

    def capture(self, order_id: str, *, key: str) -> Order:
        """Take the money of an order that the shopper approved; PayPal does it at most once per order."""
        path = f"/v2/checkout/orders/{_segment(order_id)}/capture"
        return self._read(Order.from_json, self._call("POST", path, {}, key=key))

    def forbid_capture(self, order_id: str) -> None:
        """Change what the order is for, so that PayPal refuses to capture it from then on.

        PayPal cannot cancel an order that nobody approved. ``intent`` is one of the attributes that it lets be
        replaced until the order is completed, and an order whose intent is AUTHORIZE cannot be captured.
        """
        patch = [{"op": "replace", "path": "/intent", "value": "AUTHORIZE"}]
        self._call("PATCH", f"/v2/checkout/orders/{_segment(order_id)}", patch)

    def refund(self, capture_id: str, body: Mapping[str, Any], *, key: str) -> Refund:
        """Give money of a capture back, once per key; PayPal stores these keys for 45 days."""
        path = f"/v2/payments/captures/{_segment(capture_id)}/refund"
        return self._read(Refund.from_json, self._call("POST", path, body, key=key))

    def is_genuine(self, transmission: Mapping[str, str], event: bytes) -> bool:
        """Ask PayPal whether it sent an event. ``event`` is the body as it came, and has to be one JSON document.

        The signature is over the bytes, so they are not parsed and written anew, which would change some of them.
        """
        head = json.dumps(dict(transmission)).encode().removesuffix(b"}")
        body = head + b', "webhook_event": ' + event + b"}"
        answer = self._call("POST", "/v1/notifications/verify-webhook-signature", body)
        return isinstance(answer, Mapping) and answer.get("verification_status") == "SUCCESS"

    @sensitive_variables()
    def new_token(self) -> str:
        """Ask for an access token, and keep it for the calls to come."""
        answer = self._send(
            "POST",
            "/v1/oauth2/token",
            auth=(self._client_id, self._client_secret),
            data={"grant_type": "client_credentials"},
        )
        content = _result(answer)
        token = content.get("access_token") if isinstance(content, Mapping) else None
        seconds = content.get("expires_in") if isinstance(content, Mapping) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise PayPalOutcomeUnknown("PayPal answered without an access token")
        store_token(self._account, token, seconds=seconds if type(seconds) is int else 0)
        return token

    @sensitive_variables()
    def _call(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """Send one call with an access token; one that PayPal does not take any more is replaced once."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {
            **({"Content-Type": "application/json"} if data is not None else {}),
            **({"PayPal-Request-Id": key, "Prefer": "return=representation"} if key else {}),
        }
        token = get_token(self._account)
        if token:
            answer = self._send(
                method, path, headers={**headers, "Authorization": f"Bearer {token}"}, data=data
            )
            if answer.status_code != _UNAUTHORIZED:
                return _result(answer)
            drop_token(self._account, token)
        token = self.new_token()
        return _result(
            self._send(method, path, headers={**headers, "Authorization": f"Bearer {token}"}, data=data)
        )

    @sensitive_variables()
    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        auth: tuple[str, str] | None = None,
    ) -> requests.Response:
        return self._http.request(
            method,
            self._url + path,
            headers={"Accept": "application/json", **(headers or {})},
            data=data,
            auth=auth,
            allow_redirects=False,
        )

    def _read(self, read: Callable[[object], _T], answer: object) -> _T:
        try:
            return read(answer)
        except ValueError as error:
            problem = str(error)
        raise PayPalOutcomeUnknown(f"PayPal's answer cannot be used: {problem}")


def _segment(identifier: str) -> str:
    return quote(identifier, safe="")


def _result(answer: requests.Response) -> Any:
    """Return the JSON of a good answer, None for one without a body; raise for any other."""
    status = answer.status_code
    content = _json(answer)
    if status in {200, 201, 202} and content is not None:
        return content
    if status == 204:
        return None
    if 400 <= status < 500 and status not in _UNCLEAR and isinstance(content, Mapping):
        raise _refusal(status, content)
    raise PayPalOutcomeUnknown(f"PayPal answered {status}{_described(content)}")


def _json(answer: requests.Response) -> Any:
    try:
        return read_json(answer.content)
    except BadAnswer:
        return None


def _refusal(status: int, content: Mapping[str, Any]) -> PayPalRefused | PayPalOutcomeUnknown:
    """Return what a 4xx means; without PayPal's own error object it may be anybody's, and says nothing."""
    name = _matching(content.get("name") or content.get("error"), _CODE)
    text = f"PayPal answered {status}{_described(content)}"
    if not name:
        return PayPalOutcomeUnknown(text)
    detail = _first_detail(content)
    return PayPalRefused(
        text, code=_matching(detail.get("issue"), _CODE) or name, field=str(detail.get("field") or "")[:200]
    )


def _described(content: object) -> str:
    """Return what PayPal's error says as far as it is fit for a log: codes and its debug id."""
    if not isinstance(content, Mapping):
        return ""
    codes = (
        _matching(content.get("name") or content.get("error"), _CODE),
        _matching(_first_detail(content).get("issue"), _CODE),
    )
    debug_id = _matching(content.get("debug_id"), _DEBUG_ID)
    said = " ".join(dict.fromkeys(code for code in codes if code))
    return (f" {said}" if said else "") + (f" (debug id {debug_id})" if debug_id else "")


def _first_detail(content: Mapping[str, Any]) -> Mapping[str, Any]:
    details = content.get("details")
    first = details[0] if isinstance(details, list) and details else None
    return first if isinstance(first, Mapping) else {}


def _matching(value: object, pattern: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
