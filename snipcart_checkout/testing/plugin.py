"""The pytest fixtures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from snipcart_checkout.testing.checkout_settings import CheckoutSettings
from snipcart_checkout.testing.stand_in import StandIn


@pytest.fixture
def checkout_settings(request: pytest.FixtureRequest) -> Iterator[CheckoutSettings]:
    """Change parts of SNIPCART_CHECKOUT for this test; afterwards everything is as it was.

    Used after ``snipcart``, or together with it: what either sets stays.
    """
    if request.config.pluginmanager.hasplugin("django"):
        # Undone together with what the test itself sets, in the right order.
        settings = request.getfixturevalue("settings")
        yield CheckoutSettings(_read, lambda changed: setattr(settings, "SNIPCART_CHECKOUT", changed))
    else:
        with override_settings(SNIPCART_CHECKOUT=_read()):
            yield CheckoutSettings(
                _read, lambda changed: setattr(django_settings, "SNIPCART_CHECKOUT", changed)
            )


@pytest.fixture
def snipcart(checkout_settings: CheckoutSettings) -> Iterator[StandIn]:
    """A stand-in Snipcart that the site under test talks to.

    Shoppers are sent back to the first of the site's SHOP_HOSTS.
    """
    with StandIn() as stand_in:
        checkout_settings(**stand_in.settings)
        yield stand_in


def _read() -> Mapping[str, Any]:
    site: Mapping[str, Any] = getattr(django_settings, "SNIPCART_CHECKOUT", {})
    return site
