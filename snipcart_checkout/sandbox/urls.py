"""The sandbox's addresses: the shopper's pages, the merchant's dashboard, and Snipcart's API under ``api/``."""

from __future__ import annotations

from django.urls import path

from snipcart_checkout.sandbox import api, dashboard, shop

app_name = "snipcart_sandbox"

_GATEWAY = "custom-payment-gateway"

urlpatterns = [
    path("", shop.cart_page, name="cart"),
    path("payment/", shop.payment_step, name="payment"),
    path("orders/<str:key>/", shop.order_page, name="confirmation"),
    path("language/", dashboard.choose_language, name="language"),
    path("dashboard/", dashboard.orders, name="orders"),
    path("dashboard/orders/<str:session_id>/", dashboard.order, name="order"),
    path("dashboard/orders/<str:session_id>/change/", dashboard.change_order, name="change_order"),
    path("dashboard/story/", dashboard.story, name="story"),
    path("dashboard/faults/", dashboard.faults, name="faults"),
    path("dashboard/gateway/", dashboard.gateway, name="gateway"),
    path(f"api/public/{_GATEWAY}/validate", api.validate, name="api_validate"),
    path(f"api/public/{_GATEWAY}/payment-session", api.payment_session, name="api_payment_session"),
    path(f"api/private/{_GATEWAY}/payment", api.payment, name="api_payment"),
    path("api/requestvalidation/<str:token>", api.request_validation, name="api_request_validation"),
]
