"""The shop's addresses: the checkout page, the sandbox that plays Snipcart, the admin."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

urlpatterns: list[URLPattern | URLResolver] = [
    path("checkout/", include("snipcart_checkout.urls")),
    path("admin/", admin.site.urls),
]
if apps.is_installed("snipcart_checkout.sandbox"):
    urlpatterns += [
        path("", RedirectView.as_view(pattern_name="snipcart_sandbox:cart")),
        path("sandbox/", include("snipcart_checkout.sandbox.urls")),
    ]
