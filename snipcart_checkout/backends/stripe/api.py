"""Calls to Stripe: within time limits, never repeated, never logged, and with no exception of the library's own.

The library's exceptions hold Stripe's answer and sometimes a part of the key, and its logger writes bodies at DEBUG.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

import requests
import stripe

from snipcart_checkout.backends.stripe.objects import CheckoutSession, Refund
from snipcart_checkout.conf import get_settings
from snipcart_checkout.transport.connections import Deadline, PooledAdapter, current_deadline

if TYPE_CHECKING:
    from stripe.checkout import Session
    from stripe.params import RefundCreateParams
    from stripe.params.checkout import SessionCreateParams

__all__ = ["StripeApi", "StripeRefusal", "StripeTrouble", "TimedClient"]

_T = TypeVar("_T")
_WITH_INTENT: Final = ["payment_intent"]
_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")
_MAX_BODY: Final = 2 * 1024 * 1024
_REFUSALS: Final = (
    stripe.InvalidRequestError,
    stripe.AuthenticationError,
    stripe.PermissionError,
    stripe.CardError,
    # The key was used with other parameters, which is not the same as having done what is asked now.
    stripe.IdempotencyError,
)


class StripeTrouble(Exception):
    """Stripe gave no usable answer, so what came of the call is not known. The text is fit for a log.

    ``is_replay``: this is what Stripe answered to the first call with the same key, and will answer to every other.
    """

    def __init__(self, text: str, *, is_replay: bool = False) -> None:
        super().__init__(text)
        self.is_replay = is_replay


class StripeRefusal(Exception):
    """Stripe answered that it did not do what it was asked. ``code`` is Stripe's, or empty; the text is fit for a log."""

    def __init__(self, text: str, *, code: str = "", param: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.param = param


class StripeApi:
    """What the backend asks of Stripe. Every method raises StripeRefusal or StripeTrouble, and nothing else."""

    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key

    def create_session(self, params: SessionCreateParams, *, key: str) -> CheckoutSession:
        """Create a Checkout Session, once per key; a repeat returns it as it now is."""

        def call(client: stripe.StripeClient) -> CheckoutSession:
            sessions = client.v1.checkout.sessions
            made = sessions.create({**params, "expand": _WITH_INTENT}, {"idempotency_key": key})
            # A replay is the first answer word for word, whatever happened to the session since.
            now = sessions.retrieve(made.id, {"expand": _WITH_INTENT}) if _is_replayed(made) else made
            return CheckoutSession.of(now)

        return self._ask(call)

    def session(self, session_id: str) -> CheckoutSession:
        """Return a Checkout Session."""
        return self._ask(
            lambda client: CheckoutSession.of(
                client.v1.checkout.sessions.retrieve(session_id, {"expand": _WITH_INTENT})
            )
        )

    def expire(self, session_id: str) -> CheckoutSession:
        """End an open Checkout Session; StripeRefusal when it is not open any more."""
        return self._ask(
            lambda client: CheckoutSession.of(
                client.v1.checkout.sessions.expire(session_id, {"expand": _WITH_INTENT})
            )
        )

    def refund(self, params: RefundCreateParams, *, key: str) -> Refund:
        """Make a refund, once per key."""
        return self._ask(lambda client: Refund.of(client.v1.refunds.create(params, {"idempotency_key": key})))

    def find_refund(self, payment_intent: str, reference: str) -> Refund | None:
        """Return the refund of a payment that was made under our reference."""

        def call(client: stripe.StripeClient) -> Refund | None:
            page = client.v1.refunds.list({"payment_intent": payment_intent, "limit": 100})
            made = map(Refund.of, page.auto_paging_iter())
            return next((refund for refund in made if refund.reference == reference), None)

        return self._ask(call)

    def _ask(self, call: Callable[[stripe.StripeClient], _T]) -> _T:
        failure: Exception
        ours = _is_our_call.set(True)
        try:
            with TimedClient() as http_client:
                return call(
                    stripe.StripeClient(self._secret_key, http_client=http_client, max_network_retries=0)
                )
        except stripe.StripeError as error:
            failure = _failure_of(error)
        except Exception as error:  # whatever it is, it may hold anything
            failure = StripeTrouble(f"the Stripe library raised {type(error).__name__}")
        finally:
            _is_our_call.reset(ours)
        # Outside of the handler, so that what the library raised is not even the context of ours.
        raise failure


def _is_replayed(session: Session) -> bool:
    response = session.last_response
    return response is not None and _says_replay(response.headers)


def _says_replay(headers: Mapping[str, str]) -> bool:
    return headers.get("Idempotent-Replayed") == "true"


def _failure_of(error: stripe.StripeError) -> StripeRefusal | StripeTrouble:
    code = error.code if error.code and _CODE.fullmatch(error.code) else ""
    text = f"Stripe: {type(error).__name__} {error.http_status or ''} {code}".rstrip()
    if isinstance(error, _REFUSALS):
        return StripeRefusal(text, code=code, param=str(getattr(error, "param", None) or ""))
    return StripeTrouble(text, is_replay=_says_replay(error.headers or {}))


class TimedClient(stripe.HTTPClient):
    """The library's way to the network: one pool per use, connect, read and total time limits, no redirects.

    Neither proxies, netrc nor certificates are taken from the environment; the site's PROXY and CA_BUNDLE hold.
    """

    name = "snipcart_checkout"

    def __init__(self, *, connect: float = 3.05, read: float = 15.0, total: float = 20.0) -> None:
        super().__init__()
        settings = get_settings()
        self._limits = (connect, read)
        self._total = total
        self._adapter = PooledAdapter(ca_bundle=settings.ca_bundle, proxy=settings.proxy, connections=1)

    def __enter__(self) -> TimedClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request and return body, status and headers; raise stripe.APIConnectionError otherwise."""
        prepared = requests.Request(method.upper(), url, headers=headers, data=post_data).prepare()
        problem = ""
        deadline = current_deadline.set(Deadline(self._total))
        try:
            response = self._adapter.send(
                prepared, stream=True, timeout=self._limits, verify=True, proxies=self._adapter.proxies
            )
            with response:
                body = response.raw.read(_MAX_BODY + 1, decode_content=True)
            if len(body) <= _MAX_BODY:
                return body.decode(), response.status_code, response.headers
            problem = "the answer is too large"
        except Exception as error:
            problem = type(error).__name__
        finally:
            current_deadline.reset(deadline)
        raise stripe.APIConnectionError(problem, should_retry=False)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close every connection."""
        self._adapter.close()


_is_our_call: ContextVar[bool] = ContextVar("_is_our_call", default=False)


class _Silence(logging.Filter):
    """Drops what the library logs of our calls: addresses, Stripe's words, and at DEBUG the bodies."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_our_call.get()


logging.getLogger("stripe").addFilter(_Silence())
