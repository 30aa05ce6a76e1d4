"""Pages of a payment: what became of it, and where a provider sends the shopper back to."""

from __future__ import annotations

import logging
from typing import ClassVar
from uuid import UUID

from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import iri_to_uri

from snipcart_checkout import services
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import TransactionOpen
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.choices import present_languages, with_query
from snipcart_checkout.presentation.languages import PageLanguage
from snipcart_checkout.presentation.payments import present_payment, to_local
from snipcart_checkout.presentation.problems import Problem
from snipcart_checkout.presentation.transfers import TransferDisplay, present_transfer
from snipcart_checkout.views.cookies import (
    has_just_agreed,
    has_left,
    note_forwarding,
    note_leaving,
    recall_token,
)
from snipcart_checkout.views.endpoints import is_speculative
from snipcart_checkout.views.pages import ShopperPage


class PaymentView(ShopperPage):
    """What became of a payment. Knows only the reference: no e-mail, no address, no token."""

    http_method_names = ("get", "head", "post")
    template_name: str = "snipcart_checkout/payment.html"

    def get(self, request: HttpRequest, reference: UUID) -> HttpResponse:
        payment = services.get_payment(reference)
        if payment is None:
            return self.problem(Problem.UNKNOWN_PAYMENT)
        if not is_speculative(request):
            services.refresh_payment(payment)
        may_forward = not services.has_open_redirect(payment) or self.may_forward(payment)
        return self.show(payment, may_forward=may_forward)

    def may_forward(self, payment: Payment) -> bool:
        """Return whether the shopper may go on to the provider: the order is still the one that is paid there."""
        is_same = None if is_speculative(self.request) else services.check_redirect(payment)
        # Where it cannot be said now, who paid a moment ago goes on.
        return has_just_agreed(self.request, payment) if is_same is None else is_same

    def show(self, payment: Payment, *, may_forward: bool = True) -> HttpResponse:
        """Render the page; without ``may_forward`` it does not lead to the provider."""
        language = self.chosen_language(payment.language)
        store = get_settings().stores.get(payment.store)
        method = store.methods.get(payment.method) if store else None
        backend = services.find_payment_backend(payment) if method else None
        with translation.override(language.code):
            shown = present_payment(
                payment,
                language,
                has_ended=services.has_ended(payment),
                may_forward=may_forward,
                can_retry=bool(recall_token(self.request)),
                transfer=self.get_transfer(payment, backend, language),
                method=str(method.name) if method else "",
                processed_by=str(backend.processed_by) if backend else "",
            )
        context = {
            "payment": shown,
            "store": store,
            "back_url": payment.cart_url,
            "languages": present_languages(language, {}),
        }
        response = self.page([self.template_name], context, language)
        is_to_shop = shown.redirect_url != payment.redirect_url
        if shown.redirect_url and not (is_to_shop and has_left(self.request)):
            response["Refresh"] = f"0; url={iri_to_uri(shown.redirect_url)}"
            if is_to_shop:
                note_leaving(response, payment)
            elif not is_speculative(self.request):
                note_forwarding(response, payment)
        return response

    def get_transfer(
        self, payment: Payment, backend: PaymentBackend | None, language: PageLanguage
    ) -> TransferDisplay | None:
        """Return how the shopper pays by themselves; None where there is nothing to do, or nobody knows how."""
        if backend is None or payment.state != Payment.State.PENDING or payment.redirect_url:
            return None
        limit = backend.expires_after
        try:
            return present_transfer(
                backend,
                services.build_charge(payment),
                payment.instructions,
                to_local(payment.claimed_at + limit) if limit else None,
                language,
            )
        except Exception as error:  # a stranger's backend may raise anything
            services.log(logging.ERROR, "payment details of %s: %s", payment.reference, type(error).__name__)
            return None

    def post(self, request: HttpRequest, reference: UUID) -> HttpResponse:
        payment = services.get_payment(reference)
        if payment is None:
            return self.problem(Problem.UNKNOWN_PAYMENT)
        if "give_up" in request.POST:
            return self.give_up(payment)
        if "retry" in request.POST:
            return self.to_order(payment, same_method=request.POST["retry"] == "same")
        return self.http_method_not_allowed(request)

    def give_up(self, payment: Payment) -> HttpResponse:
        """Lead back to the shop, which learns that the order was not paid."""
        try:
            return self.to_payment(services.give_up(payment))
        except (Error, TransactionOpen) as error:
            return self.problem(Problem.UNAVAILABLE, reason=type(error).__name__)

    def to_order(self, payment: Payment, *, same_method: bool) -> HttpResponseRedirect:
        """Lead to the page of the order, for the browser that knows it; any other goes to the cart."""
        token = recall_token(self.request)
        if not token:
            return self.to_payment(payment)
        kwargs = {"store": payment.store, **({"method": payment.method} if same_method else {})}
        path = reverse("snipcart_checkout:checkout", kwargs=kwargs)
        query = {"publicToken": token, **self.language_query()}
        return HttpResponseRedirect(with_query(path, query), status=303)


class PaymentReturnView(ShopperPage):
    """Where the provider sends the shopper back to; a reason to ask the provider, nothing more."""

    http_method_names = ("get", "head", "post")
    takes_posts_from_elsewhere: ClassVar[bool] = True

    def get(self, request: HttpRequest, reference: UUID) -> HttpResponse:
        payment = services.get_payment(reference)
        if payment is None:
            return self.problem(Problem.UNKNOWN_PAYMENT)
        if not is_speculative(request):
            services.handle_return(payment)
        return self.to_payment(payment)

    post = get
