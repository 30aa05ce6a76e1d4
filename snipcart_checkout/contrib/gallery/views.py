"""The gallery's page, and the frames in it: the shopper's own views, given made-up orders and payments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation

from snipcart_checkout.backends import get_backend
from snipcart_checkout.conf import Method, Store, get_settings
from snipcart_checkout.conf.links import to_cart_url
from snipcart_checkout.conf.translation import gettext
from snipcart_checkout.contrib.gallery.samples import (
    CHECKOUT_STATES,
    CURRENCIES,
    ORDERS,
    PAYMENT_STATES,
    PROBLEM_STATES,
    make_payment,
    make_session,
)
from snipcart_checkout.presentation.declines import decline_text
from snipcart_checkout.presentation.languages import LANGUAGES, language_tag, page_language
from snipcart_checkout.presentation.problems import Problem
from snipcart_checkout.snipcart import PaymentSession
from snipcart_checkout.views import CheckoutView, PaymentView
from snipcart_checkout.views.pages import Page

_STATES: Final = {"checkout": CHECKOUT_STATES, "payment": PAYMENT_STATES, "problem": PROBLEM_STATES}


class _Sample(Page):
    """A page of the gallery: seen with DEBUG only, and allowed into a frame of this very site.

    Nothing but what is made up stands on it, so framing it deceives nobody; the real pages stay unframeable.
    """

    sample: ClassVar[Callable[..., HttpResponse]]
    """Renders what the address asks for."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not django_settings.DEBUG or not _complete_stores():
            return self.problem(Problem.NO_SUCH_PAGE)
        return self.sample(**kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.http_method_not_allowed(request)

    def policy(self) -> str:
        return super().policy().replace("frame-ancestors 'none'", "frame-ancestors 'self'; frame-src 'self'")

    def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        finished = super().finish(response)
        finished["X-Frame-Options"] = "SAMEORIGIN"
        # A status page moves on by itself; a picture of it should not.
        del finished["Refresh"]
        return finished

    def sample_store(self) -> Store:
        """Return the store that was asked for, else the first."""
        stores = _complete_stores()
        return stores.get(self.request.GET.get("store", ""), next(iter(stores.values())))

    def sample_session(self) -> PaymentSession:
        """Return the made-up order that was asked for."""
        query = self.request.GET
        return make_session(
            order=_choose(ORDERS, query.get("order", "")),
            currency=_choose(CURRENCIES, query.get("currency", "")),
            language=self.chosen_language().html_lang,
            return_url=to_cart_url("", self.sample_store().shop_hosts),
        )


def _complete_stores() -> dict[str, Store]:
    return {name: store for name, store in get_settings().stores.items() if store.complete}


def _is_manual(method: Method) -> bool:
    return method.backend.endswith("ManualBackend")


def _choose(choices: Any, wanted: str) -> str:
    return wanted if wanted in choices else next(iter(choices))


class CheckoutSample(_Sample, CheckoutView):
    """The checkout page in one of its states."""

    def sample(self, state: str) -> HttpResponse:
        if state not in CHECKOUT_STATES:
            return self.problem(Problem.NO_SUCH_PAGE)
        self.store = self.sample_store()
        self.session = self.sample_session()
        self.public_token = "sample"  # noqa: S105
        self.language = self.chosen_language()
        self.methods = list(self.store.methods.values())
        shown = CHECKOUT_STATES[state]
        method = self.sample_method() if shown.chosen else None
        return self.checkout_page(
            method,
            self.sample_form(method, has_errors=shown.has_errors) if method else None,
            notice=shown.notice,
            decline=decline_text(shown.decline_code, self.language.code) if shown.decline_code else "",
            status=shown.status,
        )

    def way_out(self) -> str:
        """Return the way back to the cart: no payment was made that Snipcart could have led on from."""
        return self.session.return_url

    def sample_method(self) -> Method:
        """Return the method that was asked for, else the first."""
        methods = self.store.methods
        return methods[_choose(methods, self.request.GET.get("method", ""))]

    def sample_form(self, method: Method, *, has_errors: bool) -> forms.Form:
        """Return the method's form, filled in wrongly where errors are to be seen."""
        if not has_errors:
            return self.build_form(method)
        form = self.build_form(method, {})
        with translation.override(self.language.code):
            for name in form.fields or (None,):
                form.add_error(name, forms.Field.default_error_messages["required"])
        return form


class PaymentSample(_Sample, PaymentView):
    """The page of a payment in one of its states."""

    def sample(self, state: str) -> HttpResponse:
        if state not in PAYMENT_STATES:
            return self.problem(Problem.NO_SUCH_PAGE)
        store = self.sample_store()
        method = self.sample_method(store, is_manual=state == "instructions")
        payment = make_payment(state, self.sample_session(), store=store.name, method=method)
        if state == "instructions" and _is_manual(store.methods[method]):
            with translation.override(self.chosen_language().code):
                payment.instructions = gettext(
                    "Please transfer the amount to this account and quote the payment reference."
                )
        return self.show(payment)

    def sample_method(self, store: Store, *, is_manual: bool) -> str:
        """Return the method that was asked for, else the first; where the shopper pays by themselves, one of that kind."""
        wanted = _choose(store.methods, self.request.GET.get("method", ""))
        manual = [name for name, method in store.methods.items() if _is_manual(method)]
        return manual[0] if is_manual and manual and wanted not in manual else wanted


class ProblemSample(_Sample):
    """One of the error pages."""

    store: Store

    def sample(self, state: str) -> HttpResponse:
        problem = PROBLEM_STATES.get(state, Problem.NO_SUCH_PAGE)
        self.store = self.sample_store()
        return self.problem(problem, reference="9a439c45", language=self.chosen_language())


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One page in one state and language: four frames show it. ``title`` is short, and not translated."""

    title: str
    url: str
    state: str


class Gallery(_Sample):
    """Every state in one language or, with ``?state=``, one state in every language; four frames for each."""

    def sample(self) -> HttpResponse:
        query = self.request.GET
        chosen = page_language(query.get("language") or translation.get_language() or "")
        state = query.get("state", "")
        impossible = self.impossible_states()
        states = [f"{page}/{name}" for page, names in _STATES.items() for name in names]
        states = [one for one in states if one not in impossible]
        if state and state not in states:
            return self.problem(Problem.NO_SUCH_PAGE)
        tags = [chosen.html_lang] if not state else [language_tag(code) for code in LANGUAGES]
        exhibits = [self.exhibit(one, tag) for one in ([state] if state else states) for tag in tags]
        context = {
            "exhibits": exhibits,
            "state": state,
            "states": states,
            "language": chosen,
            "languages": [
                (language_tag(code), name, code == chosen.code) for code, name in LANGUAGES.items()
            ],
            "choices": self.choices(),
        }
        return render(self.request, "snipcart_gallery/index.html", context)

    def impossible_states(self) -> set[str]:
        """Return the states that no shopper of this store and method can meet."""
        store = self.sample_store()
        method = store.methods[_choose(store.methods, self.request.GET.get("method", ""))]
        ruled_out = {
            "checkout/choose": len(store.methods) == 1,
            "checkout/errors": not get_backend(store, method).form_class.base_fields,
            "problem/plan-refused": store.plans != "refuse",
            "problem/no-such-page": len(get_settings().stores) == 1,
        }
        return {state for state, is_impossible in ruled_out.items() if is_impossible}

    def exhibit(self, state: str, tag: str) -> Exhibit:
        """Return what is to be seen of a state in a language."""
        page, _, name = state.partition("/")
        kept = {choice: self.request.GET[choice] for choice in self.choices() if choice in self.request.GET}
        path = reverse(f"snipcart_gallery:{page}", kwargs={"state": name})
        url = f"{path}?{urlencode({'language': tag, **kept})}"
        return Exhibit(title=f"{state} · {tag}", url=url, state=state)

    def choices(self) -> dict[str, list[tuple[str, bool]]]:
        """Return what can be chosen for all exhibits: values, and which of them is current."""
        store = self.sample_store()
        offered = {
            "store": list(_complete_stores()),
            "method": list(store.methods),
            "order": list(ORDERS),
            "currency": list(CURRENCIES),
        }
        return {
            name: [(value, value == _choose(values, self.request.GET.get(name, ""))) for value in values]
            for name, values in offered.items()
        }
