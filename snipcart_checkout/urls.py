"""Our addresses: the shopper's first, the machines' second. Mount them anywhere with ``include``."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import SlugConverter

from snipcart_checkout import views
from snipcart_checkout.conf import get_settings
from snipcart_checkout.views import webhooks

app_name = "snipcart_checkout"


class StoreConverter(SlugConverter):
    """Matches the names of configured stores only, so that the site's own paths of one segment are left alone."""

    def to_python(self, value: str) -> str:
        if value not in get_settings().stores:
            raise ValueError
        return value


register_converter(StoreConverter, "snipcart_store")

_checkout = views.CheckoutView.as_view()
_methods = webhooks.PaymentMethodsWebhook.as_view()
_refund = webhooks.RefundWebhook.as_view()

# The unnamed twins answer Snipcart's calls without the trailing slash: a redirect would lose the body of a POST.
urlpatterns = [
    path("", _checkout, name="checkout"),
    path("payments/<uuid:reference>/", views.PaymentView.as_view(), name="payment"),
    path("payments/<uuid:reference>/return/", views.PaymentReturnView.as_view(), name="payment_return"),
    path("<snipcart_store:store>/", _checkout, name="checkout"),
    path("<snipcart_store:store>/methods/<slug:method>/", _checkout, name="checkout"),
    path("<snipcart_store:store>/payment-methods", _methods),
    path("<snipcart_store:store>/payment-methods/", _methods, name="payment_methods"),
    path("<snipcart_store:store>/refunds/<str:capability>", _refund),
    path("<snipcart_store:store>/refunds/<str:capability>/", _refund, name="refund"),
    path(
        "<snipcart_store:store>/notifications/<slug:method>/",
        webhooks.NotificationWebhook.as_view(),
        name="notification",
    ),
]
