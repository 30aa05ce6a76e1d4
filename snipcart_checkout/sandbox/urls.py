"""The sandbox's addresses: the shopper's pages, the merchant's dashboard, and Snipcart's API under ``api/``."""

from __future__ import annotations

from django.urls import path

from snipcart_checkout.sandbox import dashboard, shop
from snipcart_checkout.sandbox.api import api

app_name = "snipcart_sandbox"

urlpatterns = [
    path("", shop.cart_page, name="cart"),
    path("payment/", shop.payment_step, name="payment"),
    path("orders/<str:session_id>/", shop.order_page, name="confirmation"),
    path("language/", dashboard.choose_language, name="language"),
    path("dashboard/", dashboard.orders, name="orders"),
    path("dashboard/orders/<str:session_id>/", dashboard.order, name="order"),
    path("dashboard/orders/<str:session_id>/change/", dashboard.change_order, name="change_order"),
    path("dashboard/activity/", dashboard.activity, name="activity"),
    path("dashboard/faults/", dashboard.faults, name="faults"),
    path("dashboard/gateway/", dashboard.gateway, name="gateway"),
    path("api/<path:path>", api, name="api"),
]
