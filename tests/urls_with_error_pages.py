"""A site with error pages of its own."""

from django.urls import include, path

handler400 = handler403 = handler404 = handler500 = "tests.test_sites.never"
urlpatterns = [path("checkout/", include("snipcart_checkout.urls"))]
