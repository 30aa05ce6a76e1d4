"""The app where a site would mount it, the sandbox beside it."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("checkout/", include("snipcart_checkout.urls")),
    path("gallery/", include("snipcart_checkout.contrib.gallery.urls")),
    path("sandbox/", include("snipcart_checkout.sandbox.urls")),
    path("admin/", admin.site.urls),
]
