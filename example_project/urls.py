"""The shop's addresses: the checkout page and, with the sandbox, everything that one needs to try it."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from example_project.shop import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("pay/", include("snipcart_checkout.urls")),
    path("admin/", admin.site.urls),
]
if apps.is_installed("snipcart_checkout.sandbox"):
    urlpatterns += [
        path("", views.home, name="home"),
        path("theme/", views.switch_theme, name="theme"),
        path("staff/", views.enter_as_staff, name="staff"),
        path("cron/", views.run_cron_job, name="cron"),
        path("i18n/", include("django.conf.urls.i18n")),
        path("piggypay/", include("example_project.piggypay.urls")),
        path("sandbox/", include("snipcart_checkout.sandbox.urls")),
        path("gallery/", include("snipcart_checkout.contrib.gallery.urls")),
    ]
