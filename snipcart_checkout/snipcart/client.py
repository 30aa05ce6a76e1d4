"""The client of Snipcart's API: validates tokens, reads payment sessions, sends confirmations."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlencode

from requests import PreparedRequest, RequestException

from snipcart_checkout import __version__
from snipcart_checkout.conf import Secret, Settings
from snipcart_checkout.conf.origins import base_url_problem
from snipcart_checkout.exceptions import (
    BadAnswer,
    ConfirmationRefused,
    SnipcartError,
    SnipcartUnavailable,
    TokenRefused,
)
from snipcart_checkout.snipcart import ConfirmationAnswer, PaymentSession, read_json
from snipcart_checkout.snipcart.statuses import TRY_AGAIN
from snipcart_checkout.snipcart.transport import Answer, exchange

_PUBLIC: Final = "/public/custom-payment-gateway"
_PRIVATE: Final = "/private/custom-payment-gateway"
_MAX_TOKEN: Final = 4096
_HEADERS: Final = {
    "User-Agent": f"django-snipcart-checkout/{__version__}",
    "Accept": "application/json",
    # Not br or zstd: whether urllib3 can decompress them depends on what else is installed.
    "Accept-Encoding": "gzip",
}


class SnipcartClient:
    """Snipcart's API with the site's settings; cheap to build, and safe to share between threads.

    Each method makes one call and never retries it. Besides what its docstring names, each raises
    SnipcartUnavailable (unreachable, too slow, cut off, too many calls in flight, no time left of
    the request's budget, or 408, 425, 429, 5xx) and BadAnswer (3xx). Messages name the call but
    contain neither token nor key, and ``status`` is Snipcart's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._unusable = base_url_problem(settings.api_url) or base_url_problem(settings.app_api_url)

    def validate_token(self, public_token: str) -> None:
        """Return when the token is genuine; raise TokenRefused when it is not.

        Any 2xx means genuine (Snipcart's reference, Validate public token); the body is undocumented.
        """
        request = self._build_request("validate", public_token)
        del public_token  # error reports print the variables of every frame that an exception passes
        self._request(request, "validate")

    def fetch_session(self, public_token: str) -> PaymentSession:
        """Return the session that the token belongs to (Snipcart's reference, Payment session).

        Its return URL is not checked. Raises TokenRefused, and BadAnswer for a session that cannot
        be read or paid.
        """
        request = self._build_request("payment-session", public_token)
        del public_token
        answer = self._request(request, "payment-session")
        content = answer.content()
        try:
            return PaymentSession.from_json(read_json(content))
        except BadAnswer as error:
            error.status = answer.status
            raise

    def confirm(self, body: bytes, key: Secret) -> ConfirmationAnswer:
        """Send the outcome of a payment (Snipcart's reference, Create payment).

        The body is sent byte for byte, with the gateway's own key. A return means that Snipcart
        recorded it, even when the answer's body was unreadable and its return URL is empty. Raises
        ConfirmationRefused for a definite 4xx. After SnipcartUnavailable whose ``was_sent`` is true
        it is unknown whether the outcome was recorded; where it is false, Snipcart has not received
        a byte.
        """
        request = _prepared(
            "POST",
            f"{self._settings.api_url}{_PRIVATE}/payment",
            headers={"Authorization": f"Bearer {key.reveal()}", "Content-Type": "application/json"},
            body=body,
        )
        answer = self._send(request, "payment")
        if not answer.ok:
            raise _error(answer, "payment", ConfirmationRefused)
        return ConfirmationAnswer.from_body(answer.body)

    def validate_request_token(self, token: str, secret: Secret) -> None:
        """Return when Snipcart confirms the token of an ``X-Snipcart-RequestToken`` header.

        ``secret`` is the store's secret API key (Snipcart's reference, Webhooks). Raises TokenRefused.
        """
        request = self._build_token_check(token, secret)
        del token
        self._request(request, "requestvalidation")

    def _build_request(self, endpoint: str, public_token: str) -> PreparedRequest | None:
        _refuse_unsendable(public_token)
        prepared = _prepared_get(f"{self._settings.api_url}{_PUBLIC}/{endpoint}")
        if prepared is None:
            return None
        request = prepared.copy()
        request.url = f"{prepared.url}?{urlencode({'publicToken': public_token})}"
        return request

    def _build_token_check(self, token: str, secret: Secret) -> PreparedRequest | None:
        _refuse_unsendable(token, in_path=True)
        credentials = base64.b64encode(f"{secret.reveal()}:".encode(errors="replace")).decode()
        url = f"{self._settings.app_api_url}/requestvalidation/{quote(token, safe='')}"
        return _prepared("GET", url, headers={"Authorization": f"Basic {credentials}"})

    def _request(self, request: PreparedRequest | None, call: str) -> Answer:
        answer = self._send(request, call)
        if not answer.ok:
            raise _error(answer, call, TokenRefused)
        return answer

    def _send(self, request: PreparedRequest | None, call: str) -> Answer:
        if request is None or self._unusable:  # plain http would expose key and token
            raise SnipcartUnavailable(
                f"{call}: the API's URL or key in the settings cannot be used", was_sent=False
            )
        return exchange(request, self._settings)


def _refuse_unsendable(token: str, *, in_path: bool = False) -> None:
    # A path with dots leads to another endpoint, whose 2xx would prove nothing about the token.
    leads_astray = in_path and not {".", ".."}.isdisjoint(token.split("/"))
    if not 0 < len(token) <= _MAX_TOKEN or not token.isascii() or leads_astray:
        raise TokenRefused("the token cannot be one of Snipcart's")


def _prepared(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> PreparedRequest | None:
    # None instead of an exception: the library's would contain the URL with the token. Its
    # prepare() would do the same and then look for cookies, credentials and hooks, which we never
    # have.
    request = PreparedRequest()
    try:
        request.prepare_method(method)
        request.prepare_url(url, "")
        request.prepare_headers({**_HEADERS, **(headers or {})})
        request.prepare_body(body, None)
    except (RequestException, ValueError):
        return None
    return request


@lru_cache(maxsize=16)
def _prepared_get(url: str) -> PreparedRequest | None:
    return _prepared("GET", url)


def _error(answer: Answer, call: str, refused: type[SnipcartError]) -> SnipcartError:
    status = answer.status
    message = f"{call}: Snipcart answered {status}"
    if 300 <= status < 400:
        return BadAnswer(message, status=status)
    if 400 <= status < 500 and status not in TRY_AGAIN:
        return refused(message, status=status)
    return SnipcartUnavailable(message, status=status, retry_after=answer.retry_after or 5)
