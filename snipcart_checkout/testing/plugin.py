"""The pytest fixture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from snipcart_checkout.testing.standin import StandIn

__all__ = ["snipcart"]


@pytest.fixture
def snipcart(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in Snipcart that the site under test talks to.

    Shoppers are sent back to the first of the site's SHOP_HOSTS.
    """
    site: Mapping[str, Any] = getattr(django_settings, "SNIPCART_CHECKOUT", {})
    with StandIn(shop_url=f"https://{_first_shop_host(site)}") as stand_in:
        changed = {**site, **stand_in.settings}
        if request.config.pluginmanager.hasplugin("django"):
            # Undone together with what the test itself sets, in the right order.
            request.getfixturevalue("settings").SNIPCART_CHECKOUT = changed
            yield stand_in
        else:
            with override_settings(SNIPCART_CHECKOUT=changed):
                yield stand_in


def _first_shop_host(site: Mapping[str, Any]) -> str:
    stores = site.get("STORES", {}).values()
    return str(next((host for store in stores for host in store.get("SHOP_HOSTS", ())), "shop.example"))
