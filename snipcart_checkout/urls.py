"""Our addresses: the shopper's first, the machines' second. Mount them anywhere with ``include``."""

from __future__ import annotations

from django.urls import path

from snipcart_checkout import views, webhooks

__all__ = ["app_name", "urlpatterns"]

app_name = "snipcart_checkout"

_checkout = views.CheckoutView.as_view()
_methods = webhooks.PaymentMethodsWebhook.as_view()
_refund = webhooks.RefundWebhook.as_view()

# The unnamed twins answer Snipcart's calls without the trailing slash: a redirect would lose the body of a POST.
urlpatterns = [
    path("", _checkout, name="checkout"),
    path("payments/<uuid:reference>/", views.PaymentView.as_view(), name="payment"),
    path("payments/<uuid:reference>/return/", views.PaymentReturnView.as_view(), name="payment_return"),
    path("<slug:store>/", _checkout, name="checkout"),
    path("<slug:store>/methods/<slug:method>/", _checkout, name="checkout"),
    path("<slug:store>/payment-methods", _methods),
    path("<slug:store>/payment-methods/", _methods, name="payment_methods"),
    path("<slug:store>/refunds/<str:capability>", _refund),
    path("<slug:store>/refunds/<str:capability>/", _refund, name="refund"),
    path(
        "<slug:store>/notifications/<slug:method>/",
        webhooks.NotificationWebhook.as_view(),
        name="notification",
    ),
]
