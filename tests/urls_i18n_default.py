"""A site whose addresses begin with the language, unless it is the site's own."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

urlpatterns = i18n_patterns(
    path("checkout/", include("snipcart_checkout.urls")), prefix_default_language=False
)
