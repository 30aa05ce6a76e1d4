"""Endpoints for machines: Snipcart's two webhooks and the notifications of payment providers.

Not proven → 401; unreadable → 400; known before → answered as the first time; could not be checked or stored → 503, so
that it is sent again.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout import services
from snipcart_checkout.conf import Method, Store, get_settings
from snipcart_checkout.exceptions import (
    BadAnswer,
    NotificationRefused,
    ProviderBusy,
    RefundNotPossible,
    RefundUnknown,
    SnipcartError,
    SnipcartUnavailable,
    TokenMalformed,
    TokenRefused,
    TransactionOpen,
)
from snipcart_checkout.models import Payment
from snipcart_checkout.snipcart import MethodsRequest, RefundCall, check_public_token, read_json
from snipcart_checkout.snipcart.money import UnpayableAmount
from snipcart_checkout.views.endpoints import RETRY_AFTER, Endpoint, NoLength, TooLarge, query_values
from snipcart_checkout.views.webhook_refusals import Refusal


class Webhook(Endpoint, ABC):
    """An endpoint that takes POST and answers JSON, without cookies."""

    http_method_names = ("post",)
    max_body: ClassVar[int] = 1024 * 1024
    takes_json_only: ClassVar[bool] = True

    def post(self, request: HttpRequest, store: str, **kwargs: str) -> HttpResponseBase:
        if self.takes_json_only and not _is_json(request):
            return self.refuse(Refusal.NOT_JSON)
        try:
            body = self.read_body(self.max_body)
        except TooLarge:
            return self.refuse(Refusal.TOO_LARGE)
        except NoLength:
            services.log(
                logging.WARNING,
                "store %s: a chunked request was refused; let the server or a proxy before it send Content-Length",
                store,
            )
            return self.refuse(Refusal.NO_LENGTH)
        try:
            return self.answer(get_settings().stores[store], body, **kwargs)
        except TransactionOpen as error:
            services.log(logging.ERROR, "store %s: %s", store, error)
            return self.refuse(Refusal.LEDGER_UNAVAILABLE)
        except Error as error:
            # Not the path: a refund's holds the capability.
            services.log(
                logging.ERROR, "store %s: the ledger could not be reached: %s", store, type(error).__name__
            )
            return self.refuse(Refusal.LEDGER_UNAVAILABLE)

    @abstractmethod
    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        """Answer a request whose form is right."""

    def refuse(self, refusal: Refusal, reason: object = "") -> JsonResponse:
        """Return an error that a developer understands."""
        response = JsonResponse({"error": refusal.explain(reason)}, status=refusal.status)
        if refusal.status == 503:
            response["Retry-After"] = str(RETRY_AFTER)
        return response

    def refuse_for(self, error: SnipcartError) -> JsonResponse:
        """Return the answer to a caller whose token was refused or could not be checked."""
        if isinstance(error, TokenMalformed):
            return self.refuse(Refusal.NO_TOKEN)
        if isinstance(error, TokenRefused):
            return self.refuse(Refusal.TOKEN_REFUSED)
        response = self.refuse(Refusal.SNIPCART_UNAVAILABLE)
        if isinstance(error, SnipcartUnavailable):
            response["Retry-After"] = str(error.retry_after)
        return response

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = self.refuse(Refusal.NOT_POST)
        response["Allow"] = "POST"
        return response

    def unexpected(self, request: HttpRequest, error: Exception, reference: str) -> HttpResponseBase:
        problem = Refusal.UNEXPECTED
        return JsonResponse({"error": problem.explain(), "reference": reference}, status=problem.status)


class PaymentMethodsWebhook(Webhook):
    """Snipcart asks which methods to offer ("Payment methods webhook" of its reference)."""

    @sensitive_variables()
    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        try:
            request = MethodsRequest.from_json(read_json(body))
        except BadAnswer as error:
            return self.refuse(Refusal.UNREADABLE, error)
        try:
            token = check_public_token([*query_values(self.request, "publictoken"), *request.tokens])
            methods = services.answer_methods_request(store, request, token)
        except SnipcartError as error:
            services.log(logging.INFO, "payment methods for store %s not answered: %s", store.name, error)
            return self.refuse_for(error)
        return JsonResponse([method.to_json() for method in methods], safe=False)


class RefundWebhook(Webhook):
    """Snipcart asks for a refund ("Refund webhook" of its reference)."""

    max_body: ClassVar[int] = 64 * 1024

    @sensitive_variables()
    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        payment = services.get_payment_of_link(store, kwargs["capability"])
        if payment is None:
            return self.refuse(Refusal.UNKNOWN_PAYMENT)
        try:
            refund = services.answer_refund_request(
                store,
                payment,
                RefundCall.from_body(body),
                query_tokens=query_values(self.request, "publictoken"),
                request_token=self.request.headers.get("X-Snipcart-RequestToken", ""),
            )
        except SnipcartError as error:
            services.log(logging.INFO, "payment %s: refund not answered: %s", payment.reference, error)
            return self._refuse_proof(error)
        except UnpayableAmount as error:
            return self.refuse(Refusal.UNPAYABLE_AMOUNT, error)
        except RefundNotPossible as error:
            return self.refuse(Refusal.NOT_REFUNDABLE, error)
        except RefundUnknown as error:
            return self.refuse(Refusal.REFUND_UNKNOWN, error)
        except ProviderBusy:
            return self.refuse(Refusal.PROVIDER_BUSY)
        except Payment.DoesNotExist:  # deleted at this moment, because bookkeeping no longer needs it
            return self.refuse(Refusal.UNKNOWN_PAYMENT)
        return JsonResponse({"refundId": str(refund.pk)})

    def _refuse_proof(self, error: SnipcartError) -> JsonResponse:
        if isinstance(error, TokenMalformed) and error.contradictory:
            return self.refuse(Refusal.TWO_TOKENS)
        if isinstance(error, TokenRefused):
            return self.refuse(Refusal.NOT_PROVEN)
        return self.refuse_for(error)


class NotificationWebhook(Webhook):
    """A payment provider says that something happened; what, is asked of the provider."""

    max_body: ClassVar[int] = 256 * 1024
    takes_json_only: ClassVar[bool] = False

    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        method: Method | None = store.methods.get(kwargs["method"])
        if method is None:
            return self.refuse(Refusal.UNKNOWN_METHOD)
        try:
            stored = services.handle_notification(store, method, self.request.headers, body)
        except NotificationRefused:
            return self.refuse(Refusal.NOT_VERIFIED)
        if not stored:
            return self.refuse(Refusal.NOT_LOOKED_UP)
        return HttpResponse(status=204)


def _is_json(request: HttpRequest) -> bool:
    # Who sends no body often names no type either; what is wrong then is the body.
    has_nothing = not request.content_type and request.META.get("CONTENT_LENGTH") in {None, "", "0"}
    return has_nothing or request.content_type == "application/json"
