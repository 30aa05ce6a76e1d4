"""PiggyPay's addresses."""

from __future__ import annotations

from django.urls import path

from example_project.piggypay import views

app_name = "piggypay"

urlpatterns = [
    path("", views.office, name="office"),
    path("pay/<uuid:order_id>/", views.pay, name="pay"),
    path("api/orders/", views.open_order, name="open_order"),
    path("api/orders/<str:reference>/", views.read_order, name="read_order"),
    path("api/orders/<str:reference>/returns/", views.return_money, name="return_money"),
]
