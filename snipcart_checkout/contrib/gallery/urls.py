"""The gallery's addresses: ``path("gallery/", include("snipcart_checkout.contrib.gallery.urls"))``."""

from __future__ import annotations

from django.urls import path

from snipcart_checkout.contrib.gallery import views

app_name = "snipcart_gallery"

urlpatterns = [
    path("", views.Gallery.as_view(), name="index"),
    path("checkout/<slug:state>/", views.CheckoutSample.as_view(), name="checkout"),
    path("payment/<slug:state>/", views.PaymentSample.as_view(), name="payment"),
    path("problem/<slug:state>/", views.ProblemSample.as_view(), name="problem"),
]
