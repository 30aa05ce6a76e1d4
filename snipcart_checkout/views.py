"""Pages for the shopper: read input, call a service, render or redirect."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout import services
from snipcart_checkout.backends import get_backend
from snipcart_checkout.conf import Method, Store, get_settings, load_hook
from snipcart_checkout.endpoints import query_values, values_of
from snipcart_checkout.exceptions import (
    BadAnswer,
    SnipcartError,
    TokenMalformed,
    TokenRefused,
    UnpayableOrder,
)
from snipcart_checkout.languages import PageLanguage
from snipcart_checkout.links import origin_of
from snipcart_checkout.logs import say
from snipcart_checkout.models import Payment
from snipcart_checkout.pages import Page
from snipcart_checkout.presentation import (
    Problem,
    present_decline,
    present_invoice,
    present_languages,
    present_methods,
    present_payment,
    with_query,
)
from snipcart_checkout.protocol import PaymentSession, check_public_token

__all__ = ["CheckoutView", "PaymentReturnView", "PaymentView"]


class _ShopperPage(Page):
    """A page that may lead to the page of a payment."""

    def to_payment(self, payment: Payment) -> HttpResponseRedirect:
        """Lead to the page of a payment, in the language that the shopper switched to."""
        path = reverse("snipcart_checkout:payment", kwargs={"reference": payment.reference})
        return HttpResponseRedirect(with_query(path, self.language_query()), status=303)


class CheckoutView(_ShopperPage):
    """The external checkout page: who pays what for what, with which method, and the way back."""

    http_method_names = ("get", "head", "post")
    template_name: str = "snipcart_checkout/checkout.html"

    store: Store
    session: PaymentSession
    standing = services.Standing()
    public_token: str
    language: PageLanguage

    @sensitive_variables()
    def respond(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().respond(request, *args, **kwargs)
        except SnipcartError as error:
            return self.problem(_problem_of(error), reason=error)
        except DatabaseError as error:
            return self.problem(Problem.UNAVAILABLE, reason=type(error).__name__)

    def get(self, request: HttpRequest, store: str | None = None, method: str | None = None) -> HttpResponse:
        return self.open(store, method) or self.show(method)

    def post(self, request: HttpRequest, store: str | None = None, method: str | None = None) -> HttpResponse:
        if store is None or method is None:
            return self.http_method_not_allowed(request)
        return self.open(store, method) or self.pay(self.store.methods[method])

    def open(self, store: str | None, method: str | None) -> HttpResponse | None:
        """Find the store and ask Snipcart for the session; return a response when it already ends there."""
        stores = get_settings().stores
        if not stores:
            return self.problem(Problem.NOT_CONFIGURED)
        found = stores.get(store) if store is not None else _only(list(stores.values()))
        if found is None or (method is not None and method not in found.methods and found.complete):
            return self.problem(Problem.NO_SUCH_PAGE)
        if not found.complete:
            return self.problem(
                Problem.NOT_CONFIGURED, reason=f"store {found.name} is incomplete, see manage.py check"
            )
        self.store = found
        posted = values_of(self.request.POST, "publictoken")
        self.public_token = check_public_token([*query_values(self.request, "publictoken"), *posted])
        self.session = services.get_payment_session(self.public_token, found)
        self.language = self.chosen_language(self.session.invoice.language)
        return self.open_order(method)

    def open_order(self, method: str | None) -> HttpResponse | None:
        """Return where a session leads that is being paid already, or that no method may pay."""
        self.standing = services.standing_of(self.store, self.session)
        if self.standing.live is not None:
            return self.to_payment(self.standing.live)
        self.methods = services.offered_methods(self.store, self.session.invoice)
        if not self.methods or (
            method is not None and method not in {offered.id for offered in self.methods}
        ):
            return self.problem(
                Problem.METHOD_NOT_OFFERED, language=self.language, back_url=self.session.return_url
            )
        return None

    def show(self, method: str | None) -> HttpResponse:
        """Show the order, with the form of the method when there is one to use."""
        chosen = self.store.methods[method] if method else _only(self.methods)
        form = self.form_of(chosen) if chosen else None
        left = self.standing.tries_left
        notice = "" if left else "limit"
        decline = "" if left else self.last_decline()
        return self.checkout_page(chosen, form, notice=notice, decline=decline)

    def form_of(self, method: Method, data: Mapping[str, Any] | None = None, **options: Any) -> forms.Form:
        """Return the form of the method's backend, in the page's language."""
        form_class = get_backend(self.store, method).form_class
        with translation.override(self.language.code):
            return form_class(data, **options)

    def pay(self, method: Method) -> HttpResponse:
        """Take the money, unless what the shopper saw is no longer what there is to pay."""
        if "give_up" in self.request.POST:
            return self.give_up(method)
        if not self.standing.tries_left:
            return self.declined_page(method, notice="limit")
        shown = self.request.POST.get("shown", "")
        if not constant_time_compare(shown, services.order_hash(self.session)):
            form = self.form_of(method, initial=self.request.POST.dict())
            return self.checkout_page(method, form, notice="changed", status=409)
        form = self.form_of(method, self.request.POST)
        with translation.override(self.language.code):
            valid = form.is_valid()
        if not valid:
            return self.checkout_page(method, form)
        return self.charge(method, form)

    def give_up(self, method: Method) -> HttpResponse:
        """Lead back to the shop after a decline; whatever else stands in the form, nothing is charged."""
        declined = self.standing.declined
        if declined is None:
            return self.checkout_page(method, self.form_of(method))
        return self.to_payment(services.give_up(declined))

    def charge(self, method: Method, form: forms.Form) -> HttpResponse:
        """Pay, and lead to where the outcome is shown."""
        payment = services.pay(
            services.Order(
                store=self.store,
                method=method,
                session=self.session,
                public_token=self.public_token,
                form=form.cleaned_data,
            )
        )
        if payment.state != Payment.State.DECLINED:
            return self.to_payment(payment)
        self.standing = services.standing_of(self.store, self.session)
        notice = "declined" if self.standing.tries_left else "limit"
        return self.declined_page(method, notice=notice, form=form)

    def declined_page(self, method: Method, *, notice: str, form: forms.Form | None = None) -> HttpResponse:
        """Show why it was declined, with another try where one is left."""
        form = form or self.form_of(method)
        return self.checkout_page(method, form, notice=notice, decline=self.last_decline(), status=402)

    def last_decline(self) -> str:
        """Return the reason of the last decline, in the page's language."""
        declined = self.standing.declined
        return present_decline(declined, self.language) if declined else ""

    def way_out(self) -> str:
        """Return where Snipcart leads a shopper whose payment failed, as far as it has said so: else to the cart."""
        declined = self.standing.declined
        return (declined.return_url if declined else "") or self.session.return_url

    def checkout_page(
        self,
        method: Method | None,
        form: forms.Form | None,
        *,
        notice: str = "",
        decline: str = "",
        status: int = 200,
    ) -> HttpResponse:
        """Render the page."""
        context = {
            **self.site_context(),
            **self.get_context(method, form),
            "notice": notice,
            "decline": decline,
            **({"back_url": self.way_out()} if notice == "limit" else {}),
        }
        return self.page(self.get_template_names(method), context, self.language, status=status)

    def get_template_names(self, method: Method | None) -> list[str]:
        """Return the templates to try: the method's own, the store's own, ours."""
        own = [f"snipcart_checkout/methods/{method.id}.html"] if method else []
        return [*own, f"snipcart_checkout/stores/{self.store.name}.html", self.template_name]

    def get_context(self, method: Method | None, form: forms.Form | None) -> dict[str, Any]:
        """Return the context of the page's templates; a subclass adds to it."""
        with translation.override(self.language.code):
            methods = present_methods(self.methods, self.store, method, self.link_query())
            invoice = present_invoice(self.session.invoice, self.language)
        self.icon_sources = sorted({origin_of(choice.icon_url) for choice in methods} - {""})
        return {
            "session": self.session,
            "invoice": invoice,
            "store": self.store,
            "method": next((choice for choice in methods if method and choice.id == method.id), None),
            "methods": methods,
            "form": form,
            "back_url": self.session.return_url,
            "payment": None,
            "public_token": self.public_token,
            "shown": services.order_hash(self.session),
            "languages": present_languages(self.language, {"publicToken": self.public_token}),
        }

    def link_query(self) -> dict[str, str]:
        """Return what the links between our pages of this order carry."""
        return {"publicToken": self.public_token, **self.language_query()}

    def site_context(self) -> Mapping[str, Any]:
        """Return what the CONTEXT hook adds; a broken hook must not cost the merchant an order."""
        try:
            hook = load_hook(get_settings().context)
            with translation.override(self.language.code):
                return dict(hook(self.request, self.session, self.store)) if hook else {}
        except Exception as error:  # a site's hook may raise anything
            say(logging.ERROR, "CONTEXT failed, the page is shown without it: %s", type(error).__name__)
            return {}


def _only(items: Sequence[Any]) -> Any:
    return items[0] if len(items) == 1 else None


def _problem_of(error: SnipcartError) -> Problem:
    if isinstance(error, TokenMalformed):
        return Problem.NO_TOKEN if error.missing else Problem.MALFORMED_TOKEN
    if isinstance(error, TokenRefused):
        return Problem.TOKEN_REFUSED
    if isinstance(error, UnpayableOrder):
        return Problem.UNPAYABLE
    return Problem.BAD_ANSWER if isinstance(error, BadAnswer) else Problem.UNAVAILABLE


class PaymentView(_ShopperPage):
    """What became of a payment. Knows only the reference: no e-mail, no address, no token."""

    http_method_names = ("get", "head", "post")
    template_name: str = "snipcart_checkout/payment.html"

    def get(self, request: HttpRequest, reference: UUID) -> HttpResponse:
        payment = services.find_payment(reference)
        if payment is None:
            return self.problem(Problem.NO_SUCH_PAGE)
        return self.show(payment)

    def show(self, payment: Payment) -> HttpResponse:
        """Render the page."""
        language = self.chosen_language(payment.language)
        with translation.override(language.code):
            shown = present_payment(payment, language)
        context = {
            "payment": shown,
            "store": get_settings().stores.get(payment.store),
            "back_url": payment.back_url,
            "languages": present_languages(language, {}),
        }
        response = self.page([self.template_name], context, language)
        if shown.refresh_url:
            response["Refresh"] = f"{shown.refresh_seconds}; url={shown.refresh_url}"
        return response

    def post(self, request: HttpRequest, reference: UUID) -> HttpResponse:
        payment = services.find_payment(reference)
        if payment is None:
            return self.problem(Problem.NO_SUCH_PAGE)
        if "give_up" not in request.POST:
            return self.http_method_not_allowed(request)
        return self.to_payment(services.give_up(payment))


class PaymentReturnView(_ShopperPage):
    """Where the provider sends the shopper back to; a reason to ask the provider, nothing more."""

    http_method_names = ("get", "head", "post")
    takes_posts_from_elsewhere: ClassVar[bool] = True

    def get(self, request: HttpRequest, reference: UUID) -> HttpResponse:
        payment = services.find_payment(reference)
        if payment is None:
            return self.problem(Problem.NO_SUCH_PAGE)
        services.settle_return(payment)
        return self.to_payment(payment)

    post = get
