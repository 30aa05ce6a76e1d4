"""What the shopper's pages have in common: policy, own CSRF check, language, and words for what went wrong."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Final

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.middleware.csrf import CsrfViewMiddleware
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.utils import translation
from django.utils.html import format_html

from snipcart_checkout.conf import Store, get_settings
from snipcart_checkout.endpoints import Endpoint, new_reference
from snipcart_checkout.languages import PageLanguage, page_language
from snipcart_checkout.links import origin_of, return_url_of
from snipcart_checkout.logs import say
from snipcart_checkout.presentation import Problem, present_problem
from snipcart_checkout.scripts import script_tags

__all__ = ["Page"]

_STATUS: Final[Mapping[Problem, int]] = {
    Problem.NO_TOKEN: 400,
    Problem.MALFORMED_TOKEN: 400,
    Problem.CSRF: 403,
    Problem.TOKEN_REFUSED: 404,
    Problem.NOT_CONFIGURED: 404,
    Problem.NO_SUCH_PAGE: 404,
    Problem.METHOD_NOT_OFFERED: 404,
    Problem.UNAVAILABLE: 503,
    Problem.BAD_ANSWER: 503,
    Problem.UNPAYABLE: 503,
    Problem.UNEXPECTED: 500,
}


# For when no template can be rendered.
_BARE_PAGE: Final = (
    '<!doctype html><html lang="{lang}" dir="{direction}"><meta charset="utf-8"><title>{title}</title>'
    "<h1>{title}</h1><p>{text}</p><p>{money}</p><p>{advice}</p><p>{reference}</p></html>"
)


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check, which tells us instead of showing the site's own page."""

    def _origin_verified(self, request: HttpRequest) -> bool:
        # Behind a proxy that Django was not told of, the request looks like http, and the browser's https origin
        # like a stranger's. PUBLIC_URL says what the site is called outside.
        ours = origin_of(get_settings().public_url)
        return request.META["HTTP_ORIGIN"] == ours or bool(super()._origin_verified(request))  # type: ignore[misc]

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(reason, status=403)


class Page(Endpoint):
    """A page of ours. Subclass the views, not this."""

    takes_posts_from_elsewhere: ClassVar[bool] = False
    icon_sources: Sequence[str] = ()
    """Origins of the icons that this page shows, besides the site's own."""

    def respond(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.csrf = _CsrfCheck(lambda _request: HttpResponse())
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
        return page_language(self.asked_language() or usual)

    def language_query(self) -> dict[str, str]:
        """Return what links and redirects to our other pages carry, so that a switch of the language lasts."""
        return {"language": self.chosen_language().html_lang} if self.asked_language() else {}

    def asked_language(self) -> str:
        """Return the language in the address, whatever stands there; empty without one."""
        with contextlib.suppress(SuspiciousOperation):  # a query of more parameters than Django reads
            return self.request.GET.get("language", "")
        return ""

    def known_store(self) -> Store | None:
        """Return the store that this page belongs to, else the only one there is."""
        stores = list(get_settings().stores.values())
        return getattr(self, "store", None) or (stores[0] if len(stores) == 1 else None)

    def policy(self) -> str:
        """Return the Content-Security-Policy: own files only, no framing, forms to ourselves."""
        files = " ".join(filter(None, ("'self'", _static_origin())))
        icons = " ".join((files, *self.icon_sources))
        return (
            f"default-src 'none'; style-src {files}; script-src {files}; font-src {files}; img-src {icons}; "
            "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
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
        with translation.override(language.code):
            names = {"language": language, "scripts": script_tags(), **context}
            response = TemplateResponse(self.request, list(templates), names, status=status).render()
        response["Content-Language"] = language.html_lang
        return response

    def problem(
        self,
        problem: Problem,
        *,
        language: PageLanguage | None = None,
        reference: str = "",
        back_url: str = "",
        reason: object = "",
    ) -> HttpResponse:
        """Say what went wrong, whether money was taken and what to do; the reference stands in the log too."""
        status = _STATUS[problem]
        if not reference:
            reference = new_reference()
            level = logging.ERROR if status >= 500 else logging.INFO
            say(level, "%s: %s %s [%s]", self.request.path, problem.name.lower(), reason, reference)
        language = language or self.chosen_language()
        with translation.override(language.code):
            shown = present_problem(problem)
        store = self.known_store()
        context = {
            "problem": shown,
            "reference": reference,
            "store": store,
            "back_url": back_url
            or (return_url_of("", store.shop_hosts) if store and store.shop_hosts else ""),
        }
        response = self.page(["snipcart_checkout/error.html"], context, language, status=status)
        if status == 503:
            response["Retry-After"] = "5"
        return response

    def unexpected(self, request: HttpRequest, error: Exception, reference: str) -> HttpResponseBase:
        return self.problem(Problem.UNEXPECTED, reference=reference)

    def last_resort(self, reference: str) -> HttpResponseBase:
        language = page_language("")
        with translation.override(language.code):
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
        response = self.problem(Problem.NO_SUCH_PAGE)
        response.status_code = 405
        response["Allow"] = ", ".join(name.upper() for name in self.http_method_names)
        return response


def _static_origin() -> str:
    try:
        return origin_of(static("snipcart_checkout/checkout.css"))
    except ValueError:  # the manifest of the static files does not know it
        return ""
