"""URLs and WSGI entry of the measured site."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views.static import serve

from bench.settings import HAS_STAFF, IS_EMPTY, STATIC


def other_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Another page of the same site.")


def routes() -> list[URLPattern | URLResolver]:
    if IS_EMPTY:
        return []
    from bench import floor, naive

    staff: list[URLPattern | URLResolver] = []
    if HAS_STAFF:
        from django.contrib import admin

        staff.append(path("admin/", admin.site.urls))
    return [
        *staff,
        path("checkout/", include("snipcart_checkout.urls")),
        path("naive/", naive.checkout),
        path("floor/", floor.checkout),
        path("static/<path:path>", serve, {"document_root": STATIC}),
    ]


application = get_wsgi_application()
urlpatterns = [path("other/", other_page), *routes()]
