"""The addresses of ``monitored_site``: the usual ones, and a refund's whose view fails."""

from __future__ import annotations

from django.urls import path

from tests.support.monitored_site import refused
from tests.urls import urlpatterns as usual

urlpatterns = [*usual, path("broken/refunds/<str:capability>/", refused)]
