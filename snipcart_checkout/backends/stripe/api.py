"""Calls to Stripe: within the site's limits, never repeated, never logged, no exception of the library's own.

The library's exceptions hold Stripe's answer and sometimes a part of the key, and its logger writes bodies at DEBUG.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

import stripe

from snipcart_checkout.backends.http import ProviderSession, ProviderUnavailable
from snipcart_checkout.backends.stripe.objects import CheckoutSession, Refund, get_reference

if TYPE_CHECKING:
    from stripe.checkout import Session
    from stripe.params import RefundCreateParams
    from stripe.params.checkout import SessionCreateParams

API_VERSION: Final = "2025-09-30.clover"
"""Sent with every call, so that neither the account's own version nor a newer library changes what is answered.

It is the version of the oldest library that is supported (https://docs.stripe.com/api/versioning).
"""
_T = TypeVar("_T")
_WITH_INTENT: Final = ["payment_intent"]
_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")
_REFUSALS: Final = (
    stripe.InvalidRequestError,
    stripe.AuthenticationError,
    stripe.PermissionError,
    stripe.CardError,
    # The key was used with other parameters, which is not the same as having done what is asked now.
    stripe.IdempotencyError,
)


class StripeOutcomeUnknown(Exception):
    """Stripe gave no usable answer, so what came of the call is unknown. The text is fit for a log.

    ``is_replay``: this is what Stripe answered to the first call with the same key, and will answer to every other.
    """

    def __init__(self, text: str, *, is_replay: bool = False) -> None:
        super().__init__(text)
        self.is_replay = is_replay


class StripeBusy(StripeOutcomeUnknown):
    """Stripe turned the call away before it did anything: HTTP 429 (https://docs.stripe.com/rate-limits)."""


class StripeRefused(Exception):
    """Stripe answered that it did not do what it was asked. ``code`` is Stripe's, or empty; the text is fit for a log.

    ``status`` is the HTTP status, ``param`` the parameter that Stripe complains of, or empty.
    """

    def __init__(self, text: str, *, status: int = 0, code: str = "", param: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.param = param


class StripeApi:
    """What the backend asks of Stripe. Every method raises StripeRefused or StripeOutcomeUnknown, and nothing else."""

    def __init__(self, http: ProviderSession, secret_key: str) -> None:
        self._http = http
        self._secret_key = secret_key

    def create_session(self, params: SessionCreateParams, *, key: str) -> CheckoutSession:
        """Create a Checkout Session, once per key; a repeat returns it as it now is."""

        def call(client: stripe.StripeClient) -> CheckoutSession:
            sessions = client.v1.checkout.sessions
            made = sessions.create({**params, "expand": _WITH_INTENT}, {"idempotency_key": key})
            # A replay is the first answer word for word, whatever happened to the session since.
            now = sessions.retrieve(made.id, {"expand": _WITH_INTENT}) if _is_replayed(made) else made
            return CheckoutSession.from_stripe(now)

        return self._run(call)

    def session(self, session_id: str) -> CheckoutSession:
        """Return a Checkout Session."""
        return self._run(
            lambda client: CheckoutSession.from_stripe(
                client.v1.checkout.sessions.retrieve(session_id, {"expand": _WITH_INTENT})
            )
        )

    def expire(self, session_id: str) -> CheckoutSession:
        """End an open Checkout Session; StripeRefused when it is not open any more."""
        return self._run(
            lambda client: CheckoutSession.from_stripe(
                client.v1.checkout.sessions.expire(session_id, {"expand": _WITH_INTENT})
            )
        )

    def refund(self, params: RefundCreateParams, *, key: str) -> Refund:
        """Make a refund, once per key."""
        return self._run(
            lambda client: Refund.from_stripe(client.v1.refunds.create(params, {"idempotency_key": key}))
        )

    def find_refund(self, payment_intent: str, reference: str) -> Refund | None:
        """Return the refund of a payment that was made under our reference."""

        def call(client: stripe.StripeClient) -> Refund | None:
            page = client.v1.refunds.list({"payment_intent": payment_intent, "limit": 100})
            made = map(Refund.from_stripe, page.auto_paging_iter())
            return next((refund for refund in made if refund.reference == reference), None)

        return self._run(call)

    def find_reference(self, payment_intent: str, charge: str) -> str:
        """Return our reference of the payment that a PaymentIntent or, where there is none, a Charge belongs to."""

        def call(client: stripe.StripeClient) -> str:
            if payment_intent:
                return get_reference(client.v1.payment_intents.retrieve(payment_intent))
            return get_reference(client.v1.charges.retrieve(charge))

        return self._run(call)

    def find_missing_permissions(self) -> list[str]:
        """Return what the key may not read of what the backend reads; StripeRefused for a key that is none."""
        lists: dict[str, Callable[[stripe.StripeClient], object]] = {
            "Checkout Sessions": lambda client: client.v1.checkout.sessions.list({"limit": 1}),
            "PaymentIntents": lambda client: client.v1.payment_intents.list({"limit": 1}),
            "Refunds": lambda client: client.v1.refunds.list({"limit": 1}),
        }
        return [name for name, call in lists.items() if not self._is_permitted(call)]

    def _is_permitted(self, call: Callable[[stripe.StripeClient], object]) -> bool:
        try:
            self._run(call)
        except StripeRefused as refused:
            if refused.status != 403:
                raise
            return False
        return True

    def _run(self, call: Callable[[stripe.StripeClient], _T]) -> _T:
        failure: Exception
        ours = _is_our_call.set(True)
        http_client = StripeHttpClient(self._http)
        try:
            return call(
                stripe.StripeClient(
                    self._secret_key,
                    http_client=http_client,
                    max_network_retries=0,
                    stripe_version=API_VERSION,
                )
            )
        except stripe.StripeError as error:
            failure = _to_failure(error, http_client.problem)
        except Exception as error:  # whatever it is, it may hold anything
            failure = StripeOutcomeUnknown(f"the Stripe library raised {type(error).__name__}")
        finally:
            _is_our_call.reset(ours)
        # Outside of the handler, so that what the library raised is not even the context of ours.
        raise failure


def _is_replayed(session: Session) -> bool:
    response = session.last_response
    return response is not None and _says_replay(response.headers)


def _says_replay(headers: Mapping[str, str]) -> bool:
    return headers.get("Idempotent-Replayed") == "true"


def _to_failure(error: stripe.StripeError, problem: str) -> StripeRefused | StripeOutcomeUnknown:
    if problem:
        return StripeOutcomeUnknown(f"Stripe: {problem}")
    status = error.http_status or 0
    code = error.code if error.code and _CODE.fullmatch(error.code) else ""
    text = " ".join(filter(None, (f"Stripe: {type(error).__name__}", str(status or ""), code)))
    if isinstance(error, _REFUSALS):
        param = str(getattr(error, "param", None) or "")
        return StripeRefused(text, status=status, code=code, param=param)
    if isinstance(error, stripe.RateLimitError):
        return StripeBusy(text)
    return StripeOutcomeUnknown(text, is_replay=_says_replay(error.headers or {}))


class StripeHttpClient(stripe.HTTPClient):
    """The library's way to the network: the backend's own session, with all of its limits.

    ``problem`` says why a call brought no whole answer, in words that are fit for a log.
    """

    name = "snipcart_checkout"

    def __init__(self, http: ProviderSession) -> None:
        super().__init__()
        self._http = http
        self.problem = ""

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
        try:
            answer = self._http.request(method.upper(), url, headers=headers, data=post_data)
            return answer.content.decode(), answer.status_code, answer.headers
        except ProviderUnavailable as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = f"the call raised {type(error).__name__}"
        raise stripe.APIConnectionError(self.problem, should_retry=False)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close nothing: the connections belong to the process."""


_is_our_call: ContextVar[bool] = ContextVar("_is_our_call", default=False)


class _Silence(logging.Filter):
    """Drops what the library logs of our calls: addresses, Stripe's words, and at DEBUG the bodies."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_our_call.get()


logging.getLogger("stripe").addFilter(_Silence())
