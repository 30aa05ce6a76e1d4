"""What the shopper's pages have in common: policy, own CSRF check, language, and words for what went wrong."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from typing import Any, ClassVar, Final

from django.conf import settings as django_settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html

from snipcart_checkout import services
from snipcart_checkout.conf import Brand, Store, get_settings, load_hook
from snipcart_checkout.conf.links import to_cart_url, to_origin
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.brands import present_brand
from snipcart_checkout.presentation.choices import with_query
from snipcart_checkout.presentation.languages import PageLanguage, page_language
from snipcart_checkout.presentation.problems import Problem, present_problem
from snipcart_checkout.snipcart import PaymentSession
from snipcart_checkout.views.csrf import CsrfCheck, get_form_token
from snipcart_checkout.views.endpoints import RETRY_AFTER, Endpoint, new_reference
from snipcart_checkout.views.page_templates import get_page_template
from snipcart_checkout.views.scripts import script_tags
from snipcart_checkout.views.security_headers import build_page_policy
from snipcart_checkout.views.static_files import get_address
from snipcart_checkout.views.styles import STYLESHEET, StyleBlock, style_blocks

# For when no template can be rendered.
_BARE_PAGE: Final = (
    '<!doctype html><html lang="{lang}" dir="{direction}"><meta charset="utf-8"><title>{title}</title>'
    "<h1>{title}</h1><p>{text}</p><p>{money}</p><p>{advice}</p><p>{reference}</p></html>"
)


# What a page has nothing to say of. A name that a template looks up in vain costs an exception, and Django writes the whole
# context into its debug log, the token included: a merchant's own template may look up any of them on any page.
_ABSENT: Final = {
    **dict.fromkeys(
        (
            "session",
            "invoice",
            "store",
            "method",
            "methods",
            "form",
            "back_url",
            "payment",
            "public_token",
            "shown",
            "languages",
            "problem",
            "reference",
        )
    ),
    "notice": "",
    "decline": "",
}


class _RenderedPage(TemplateResponse):
    def resolve_context(self, context: dict[str, Any] | None) -> dict[str, Any]:
        # Added this late, as Django adds its own: what monitors report of a response is its context before that.
        token = SimpleLazyObject(partial(get_form_token, self._request))
        return {**(context or {}), "csrf_token": token}


class Page(Endpoint):
    """A page of ours. Subclass the views, not this."""

    takes_posts_from_elsewhere: ClassVar[bool] = False
    icon_sources: Sequence[str] = ()
    """Origins of the icons that this page shows, besides the site's own."""
    styles: Sequence[StyleBlock] = ()
    """What stands in the head of this page."""

    def respond(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.csrf = CsrfCheck(lambda _request: HttpResponse())
        self.csrf.process_request(request)
        if (request.method or "").lower() not in self.http_method_names:
            return self.http_method_not_allowed(request)
        if not self.takes_posts_from_elsewhere and (refusal := self.refuse_form(request)):
            return self.problem(refusal)
        return super().respond(request, *args, **kwargs)

    def refuse_form(self, request: HttpRequest) -> Problem | None:
        """Return why a form that was sent is not looked at."""
        try:
            refusal = self.csrf.process_view(request, self.get_response_to, (), {})
            _ = request.POST  # read now, because whoever reads it first meets what is wrong with it
        except (BadRequest, MultiPartParserError, SuspiciousOperation, UnreadablePostError):
            return Problem.MALFORMED_TOKEN
        return Problem.CSRF if refusal else None

    def get_response_to(self, request: HttpRequest) -> HttpResponseBase:
        """Stand for the view in Django's CSRF check, which looks for an exemption on it."""
        return HttpResponse()

    def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        self.csrf.process_response(self.request, response)
        return super().finish(response)

    def chosen_language(self, usual: str = "") -> PageLanguage:
        """Return the language that the shopper switched to; without a switch the usual one, the cart's."""
        return page_language(self.requested_language() or usual)

    def language_query(self) -> dict[str, str]:
        """Return what links and redirects to our other pages carry, so that a switch of the language lasts."""
        return {"language": self.chosen_language().html_lang} if self.requested_language() else {}

    def requested_language(self) -> str:
        """Return the language in the address, whatever stands there; empty without one."""
        with contextlib.suppress(SuspiciousOperation):  # a query of more parameters than Django reads
            return self.request.GET.get("language", "")
        return ""

    def known_store(self) -> Store | None:
        """Return the store that this page belongs to, else the one whose shop all stores share; None with several shops."""
        stores = get_settings().stores
        named = getattr(self, "store", None) or stores.get(str(self.kwargs.get("store")))
        if named or not stores:
            return named
        # The test half of Snipcart's configuration is mostly a second store of the same shop.
        shops = {store.shop_hosts[:1] for store in stores.values()}
        live = [store for store in stores.values() if not store.is_test]
        return (live or list(stores.values()))[0] if len(shops) == 1 else None

    def policy(self) -> str:
        return build_page_policy(
            static_origin=_static_origin(),
            styles=[block.source for block in self.styles],
            icons=self.icon_sources,
        )

    def page(
        self,
        templates: Sequence[str],
        context: Mapping[str, Any],
        language: PageLanguage,
        *,
        status: int = 200,
    ) -> HttpResponse:
        """Render a template in a language, now, so that nothing of it can fail outside of our reach."""
        store: Store | None = context.get("store")
        brand = store.brand if store else Brand()
        self.styles = style_blocks(brand.accent, brand.accent_dark)
        with language.active():
            site = self.site_context(context.get("session"), store)
            shown = present_brand(store, site)
            names = {
                **_ABSENT,
                **site,
                "language": language,
                "brand": shown,
                "styles": self.styles,
                "scripts": script_tags(),
                **context,
            }
            logos = {to_origin(shown.logo_url), to_origin(shown.logo_dark_url)}
            self.icon_sources = sorted({*self.icon_sources, *logos} - {""})
            template = get_page_template(templates, names)
            response = _RenderedPage(self.request, template, names, status=status).render()
        response["Content-Language"] = language.html_lang
        return response

    def site_context(self, session: PaymentSession | None, store: Store | None) -> Mapping[str, Any]:
        """Return what the CONTEXT hook adds, which may be asked for a page that has no order and for one of no store.

        A broken hook must not cost the merchant an order.
        """
        try:
            hook = load_hook(get_settings().context)
            return dict(hook(self.request, session, store)) if hook else {}
        except Exception as error:  # a site's hook may raise anything
            services.log(
                logging.ERROR, "CONTEXT failed, the page is shown without it: %s", type(error).__name__
            )
            return {}

    def problem(
        self,
        problem: Problem,
        *,
        language: PageLanguage | None = None,
        reference: str = "",
        back_url: str = "",
        reason: object = "",
        retry_after: int = RETRY_AFTER,
    ) -> HttpResponse:
        """Say what went wrong, whether money was taken and what to do; the reference stands in the log too."""
        status = problem.status
        if not reference:
            reference = new_reference()
            services.log(
                _get_level(problem),
                "%s: %s %s [%s]",
                self.request.path,
                problem.name.lower(),
                reason,
                reference,
            )
        language = language or self.chosen_language()
        with language.active():
            shown = present_problem(problem, is_get=self.request.method == "GET")
        store = self.known_store()
        context = {
            "problem": shown,
            "debug_reason": reason if django_settings.DEBUG else "",
            "reference": reference,
            "store": store,
            "back_url": back_url or (to_cart_url("", store.shop_hosts) if store and store.shop_hosts else ""),
        }
        response = self.page(["snipcart_checkout/error.html"], context, language, status=status)
        if status == 503:
            response["Retry-After"] = str(retry_after)
        return response

    def unexpected(self, request: HttpRequest, error: Exception, reference: str) -> HttpResponseBase:
        return self.problem(Problem.UNEXPECTED, reference=reference)

    def last_resort(self, reference: str) -> HttpResponseBase:
        language = page_language("")
        with language.active():
            words = present_problem(Problem.UNEXPECTED)
        page = format_html(
            _BARE_PAGE,
            lang=language.html_lang,
            direction=language.direction,
            reference=reference,
            **asdict(words),
        )
        return HttpResponse(page, status=500)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = self.problem(Problem.METHOD_NOT_ALLOWED)
        response["Allow"] = ", ".join(name.upper() for name in self.http_method_names)
        return response


def _get_level(problem: Problem) -> int:
    """Return how loud a problem is in the log: an ERROR is an alert, and an outage of Snipcart meets every shopper."""
    if problem is Problem.NOT_CONFIGURED:
        return logging.ERROR  # nothing is sold until a developer has mended it
    return logging.WARNING if problem.status >= 500 else logging.INFO


class ShopperPage(Page):
    """A page that may lead to the page of a payment."""

    def head(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Django would keep ``get`` in each view as an attribute of that name: the view would hold itself, and with it the
        # shopper's order, until the garbage collector comes.
        response: HttpResponseBase = self.get(request, *args, **kwargs)  # type: ignore[attr-defined]
        return response

    def to_payment(self, payment: Payment) -> HttpResponseRedirect:
        """Lead to the page of a payment, in the language that the shopper switched to."""
        path = reverse("snipcart_checkout:payment", kwargs={"reference": payment.reference})
        return HttpResponseRedirect(with_query(path, self.language_query()), status=303)


_to_origin: Final = lru_cache(maxsize=4)(to_origin)


def _static_origin() -> str:
    try:
        return _to_origin(get_address(STYLESHEET))
    except ValueError:  # the manifest of the static files does not know it
        return ""
