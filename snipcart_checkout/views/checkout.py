"""Pages for the shopper: read input, call a service, render or redirect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout import services
from snipcart_checkout.backends import get_backend
from snipcart_checkout.conf import Method, Store, get_settings
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.exceptions import (
    BadAnswer,
    ProviderBusy,
    SnipcartError,
    SnipcartUnavailable,
    TokenMalformed,
    TokenRefused,
    TransactionOpen,
    UnpayableOrder,
)
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.choices import present_languages, present_methods
from snipcart_checkout.presentation.languages import PageLanguage
from snipcart_checkout.presentation.orders import present_invoice
from snipcart_checkout.presentation.payments import present_decline
from snipcart_checkout.presentation.problems import Problem
from snipcart_checkout.snipcart import PaymentSession, check_public_token
from snipcart_checkout.views.cookies import remember_order
from snipcart_checkout.views.endpoints import get_values, is_speculative, query_values
from snipcart_checkout.views.pages import ShopperPage


class CheckoutView(ShopperPage):
    """The external checkout page: who pays what for what, with which method, and the way back."""

    http_method_names = ("get", "head", "post")
    template_name: str = "snipcart_checkout/checkout.html"

    store: Store
    session: PaymentSession
    methods: list[Method]
    attempts = services.Attempts()
    public_token: str
    language: PageLanguage

    @sensitive_variables()
    def respond(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().respond(request, *args, **kwargs)
        except SnipcartUnavailable as error:
            return self.problem(Problem.UNAVAILABLE, reason=error, retry_after=error.retry_after)
        except SnipcartError as error:
            return self.problem(_to_problem(error), reason=error)
        except (Error, ProviderBusy) as error:
            return self.problem(Problem.UNAVAILABLE, reason=type(error).__name__)
        except TransactionOpen as error:
            return self.problem(Problem.NOT_CONFIGURED, reason=error)

    def get(self, request: HttpRequest, store: str | None = None, method: str | None = None) -> HttpResponse:
        ended = self.open(store, method)
        if ended is not None:
            return ended
        with self.language.active():
            return self.show(method)

    def post(self, request: HttpRequest, store: str | None = None, method: str | None = None) -> HttpResponse:
        if store is None or method is None:
            return self.http_method_not_allowed(request)
        return self.open(store, method) or self.pay(self.store.methods[method])

    def open(self, store_name: str | None, method_id: str | None) -> HttpResponse | None:
        """Find the store and ask Snipcart for the session; return a response when it already ends there."""
        stores = get_settings().stores
        if not stores:
            return self.problem(Problem.NOT_CONFIGURED)
        store = stores.get(store_name) if store_name is not None else _only(list(stores.values()))
        if store is None:
            return self.problem(Problem.NO_SUCH_PAGE)
        self.store = store
        if method_id is not None and method_id not in store.methods and store.complete:
            return self.problem(Problem.UNKNOWN_METHOD)
        if not store.complete:
            return self.problem(
                Problem.NOT_CONFIGURED, reason=f"store {store.name} is incomplete, see manage.py check"
            )
        posted = get_values(self.request.POST, "publictoken")
        self.public_token = check_public_token([*query_values(self.request, "publictoken"), *posted])
        self.session = services.get_payment_session(self.public_token, store)
        self.language = self.chosen_language(self.session.invoice.language)
        return self.open_order(method_id)

    def open_order(self, method_id: str | None) -> HttpResponse | None:
        """Return where a session leads that is being paid already, or that no method may pay."""
        self.attempts = services.get_attempts(self.store, self.session)
        if self.attempts.live is not None and not self.end_if_outdated(self.attempts.live):
            return self.to_payment(self.attempts.live)
        self.methods = services.offered_methods(self.store, self.session.invoice)
        if not self.methods or (
            method_id is not None and method_id not in {offered.id for offered in self.methods}
        ):
            refused = services.is_plan_refused(self.store, self.session.invoice)
            problem = Problem.PLAN_REFUSED if refused else Problem.METHOD_NOT_OFFERED
            return self.problem(problem, language=self.language, back_url=self.session.return_url)
        return None

    def end_if_outdated(self, live: Payment) -> bool:
        """End a payment that is open at the provider for an order as it was before; tell whether it is over."""
        if is_speculative(self.request):
            return False
        services.end_outdated_redirect(live, self.session)
        if live.live_key is not None:
            return False
        self.attempts = services.get_attempts(self.store, self.session)
        return self.attempts.live is None

    def show(self, method_id: str | None) -> HttpResponse:
        """Show the order, with the form of the method when there is one to use."""
        chosen = self.store.methods[method_id] if method_id else _only(self.methods)
        form = self.build_form(chosen) if chosen else None
        left = self.attempts.left
        notice = "" if left else "limit"
        decline = "" if left else self.last_decline()
        return self.checkout_page(chosen, form, notice=notice, decline=decline)

    def build_form(self, method: Method, data: Mapping[str, Any] | None = None, **options: Any) -> forms.Form:
        """Return the form of the method's backend, in the page's language."""
        form_class = get_backend(self.store, method).form_class
        with self.language.active():
            return form_class(data, **options)

    def pay(self, method: Method) -> HttpResponse:
        """Take the money, unless what the shopper saw is no longer what there is to pay."""
        if get_settings().has_live_key(self.store):
            reason = f"store {self.store.name} is a test store with a key of a live one, see manage.py check"
            return self.problem(Problem.NOT_CONFIGURED, reason=reason)
        if "give_up" in self.request.POST:
            return self.give_up(method)
        if not self.attempts.left:
            return self.declined_page(method, notice="limit")
        shown = self.request.POST.get("shown", "")
        if not constant_time_compare(shown, services.hash_order(self.session)):
            form = self.build_form(method, initial=self.request.POST.dict())
            return self.checkout_page(method, form, notice="changed", status=409)
        form = self.build_form(method, self.request.POST)
        with self.language.active():
            valid = form.is_valid()
        if not valid:
            return self.checkout_page(method, form)
        return self.charge(method, form)

    def give_up(self, method: Method) -> HttpResponse:
        """Lead back to the shop after a decline; whatever else stands in the form, nothing is charged."""
        declined = self.attempts.declined
        if declined is None:
            return self.checkout_page(method, self.build_form(method))
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
            response = self.to_payment(payment)
            remember_order(response, payment, self.public_token)
            return response
        self.attempts = services.get_attempts(self.store, self.session)
        notice = "declined" if self.attempts.left else "limit"
        return self.declined_page(method, notice=notice, form=form)

    def declined_page(self, method: Method, *, notice: str, form: forms.Form | None = None) -> HttpResponse:
        """Show why it was declined, with another try where one is left."""
        form = form or self.build_form(method)
        return self.checkout_page(method, form, notice=notice, decline=self.last_decline(), status=402)

    def last_decline(self) -> str:
        """Return the reason of the last decline, in the page's language."""
        declined = self.attempts.declined
        return present_decline(declined, self.language) if declined else ""

    def way_out(self) -> str:
        """Return where Snipcart leads a shopper whose payment failed, as far as it has said so: else to the cart."""
        declined = self.attempts.declined
        return (declined.order_url if declined else "") or self.session.return_url

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
            **self.get_context(method, form),
            "notice": notice,
            "decline": decline,
            # Nothing can be sent from there any more, not even for another language.
            **({"back_url": self.way_out(), "languages": None} if notice == "limit" else {}),
        }
        return self.page(self.get_template_names(method), context, self.language, status=status)

    def get_template_names(self, method: Method | None) -> list[str]:
        """Return the templates to try: the method's own, the store's own, ours."""
        own = [f"snipcart_checkout/methods/{method.id}.html"] if method else []
        return [*own, f"snipcart_checkout/stores/{self.store.name}.html", self.template_name]

    def get_context(self, method: Method | None, form: forms.Form | None) -> dict[str, Any]:
        """Return the context of the page's templates; a subclass adds to it."""
        with self.language.active():
            methods = present_methods(self.methods, self.store, method, self.link_query())
            invoice = present_invoice(self.session.invoice, self.language)
        self.icon_sources = [to_origin(url) for one in methods for url in one.icon_urls]
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
            "shown": services.hash_order(self.session),
            "languages": present_languages(self.language, {"publicToken": self.public_token}),
        }

    def link_query(self) -> dict[str, str]:
        """Return what the links between our pages of this order carry."""
        return {"publicToken": self.public_token, **self.language_query()}


def _only(items: Sequence[Any]) -> Any:
    return items[0] if len(items) == 1 else None


def _to_problem(error: SnipcartError) -> Problem:
    if isinstance(error, TokenMalformed):
        return Problem.NO_TOKEN if error.missing else Problem.MALFORMED_TOKEN
    if isinstance(error, TokenRefused):
        return Problem.TOKEN_REFUSED
    if isinstance(error, UnpayableOrder):
        return Problem.UNPAYABLE
    return Problem.BAD_ANSWER if isinstance(error, BadAnswer) else Problem.UNAVAILABLE
