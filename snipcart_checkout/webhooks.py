"""Endpoints for machines: Snipcart's two webhooks and the notifications of payment providers.

Not proven → 401; unreadable → 400; known before → answered as the first time; could not be checked or stored → 503, so
that it is sent again.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout import services
from snipcart_checkout.conf import Method, Store, get_settings
from snipcart_checkout.endpoints import Endpoint, TooLarge, query_values
from snipcart_checkout.exceptions import (
    BadAnswer,
    NotificationRefused,
    RefundNotPossible,
    RefundUncertain,
    SnipcartError,
    SnipcartUnavailable,
    TokenMalformed,
    TokenRefused,
)
from snipcart_checkout.logs import say
from snipcart_checkout.money import UnpayableAmount
from snipcart_checkout.protocol import MethodsRequest, RefundCall, check_public_token, read_json

__all__ = ["NotificationWebhook", "PaymentMethodsWebhook", "RefundWebhook"]

_RETRY_AFTER: Final = 5  # seconds


class Webhook(Endpoint, ABC):
    """An endpoint that takes POST and answers JSON, without cookies."""

    http_method_names = ("post",)
    max_body: ClassVar[int] = 1024 * 1024
    takes_json_only: ClassVar[bool] = True

    def post(self, request: HttpRequest, store: str, **kwargs: str) -> HttpResponseBase:
        if self.takes_json_only and request.content_type != "application/json":
            return self.refuse(415, _("The body has to be application/json."))
        try:
            body = self.read_body(self.max_body)
        except TooLarge:
            return self.refuse(413, _("The body is too large."))
        configured = get_settings().stores.get(store)
        if configured is None:
            return self.refuse(404, _("There is no such store."))
        try:
            return self.answer(configured, body, **kwargs)
        except DatabaseError as error:
            # Not the path: a refund's holds the capability.
            say(logging.ERROR, "store %s: the ledger could not be reached: %s", store, type(error).__name__)
            return self.refuse(503, _("The ledger cannot be reached, try again."))

    @abstractmethod
    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        """Answer a request whose form is right."""

    def refuse(self, status: int, message: str) -> JsonResponse:
        """Return an error that a developer understands."""
        response = JsonResponse({"error": message}, status=status)
        if status == 503:
            response["Retry-After"] = str(_RETRY_AFTER)
        return response

    def refuse_for(self, error: SnipcartError) -> JsonResponse:
        """Return the answer to a caller whose token was refused or could not be checked."""
        if isinstance(error, TokenMalformed):
            return self.refuse(400, _("The public token is missing or malformed."))
        if isinstance(error, TokenRefused):
            return self.refuse(401, _("Snipcart refuses the token."))
        response = self.refuse(503, _("Snipcart cannot be reached, try again."))
        if isinstance(error, SnipcartUnavailable):
            response["Retry-After"] = str(error.retry_after)
        return response

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = self.refuse(405, _("Only POST is taken here."))
        response["Allow"] = "POST"
        return response

    def unexpected(self, request: HttpRequest, error: Exception, reference: str) -> HttpResponseBase:
        return JsonResponse(
            {"error": _("Something went wrong on our side."), "reference": reference}, status=500
        )


class PaymentMethodsWebhook(Webhook):
    """Snipcart asks which methods to offer ("Payment methods webhook" of its reference)."""

    @sensitive_variables()
    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        try:
            request = MethodsRequest.from_json(read_json(body))
        except BadAnswer as error:
            return self.refuse(400, _("The body cannot be read: %(reason)s.") % {"reason": error})
        try:
            token = check_public_token([*query_values(self.request, "publictoken"), *request.tokens])
            methods = services.answer_methods_request(store, request, token)
        except SnipcartError as error:
            say(logging.INFO, "payment methods for store %s not answered: %s", store.name, error)
            return self.refuse_for(error)
        return JsonResponse([method.to_json() for method in methods], safe=False)


class RefundWebhook(Webhook):
    """Snipcart asks for a refund ("Refund webhook" of its reference)."""

    max_body: ClassVar[int] = 64 * 1024

    @sensitive_variables()
    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        payment = services.find_refundable_payment(store, kwargs["capability"])
        if payment is None:
            return self.refuse(404, _("There is no such payment."))
        try:
            refund = services.answer_refund_request(
                store,
                payment,
                RefundCall.from_body(body),
                query_tokens=query_values(self.request, "publictoken"),
                request_token=self.request.headers.get("X-Snipcart-RequestToken", ""),
            )
        except SnipcartError as error:
            say(logging.INFO, "payment %s: refund not answered: %s", payment.reference, error)
            return self._refuse_proof(error)
        except UnpayableAmount as error:
            return self.refuse(400, _("This amount cannot be refunded: %(reason)s.") % {"reason": error})
        except RefundNotPossible as error:
            return self.refuse(409, str(error))
        except RefundUncertain as error:
            return self.refuse(502, str(error))
        return JsonResponse({"refundId": str(refund.pk)})

    def _refuse_proof(self, error: SnipcartError) -> JsonResponse:
        if isinstance(error, TokenMalformed) and error.contradictory:
            return self.refuse(400, _("The request holds two different public tokens."))
        if isinstance(error, TokenRefused):
            return self.refuse(401, _("The token is missing, malformed or refused."))
        return self.refuse_for(error)


class NotificationWebhook(Webhook):
    """A payment provider says that something happened; what, is asked of the provider."""

    max_body: ClassVar[int] = 256 * 1024
    takes_json_only: ClassVar[bool] = False

    def answer(self, store: Store, body: bytes, **kwargs: str) -> HttpResponseBase:
        method: Method | None = store.methods.get(kwargs["method"])
        if method is None:
            return self.refuse(404, _("There is no such method."))
        try:
            stored = services.hear_notification(store, method, self.request.headers, body)
        except NotificationRefused:
            return self.refuse(400, _("The notification could not be verified."))
        if not stored:
            return self.refuse(503, _("What came of the payment could not be found out, send this again."))
        return HttpResponse(status=204)
