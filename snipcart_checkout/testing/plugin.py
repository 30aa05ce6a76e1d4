"""The pytest fixtures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from snipcart_checkout.conf import Store, get_settings
from snipcart_checkout.conf.settings import Secret
from snipcart_checkout.testing.checkout_settings import CheckoutSettings
from snipcart_checkout.testing.stand_in import StandIn


@pytest.fixture
def checkout_settings(request: pytest.FixtureRequest) -> Iterator[CheckoutSettings]:
    """Change parts of SNIPCART_CHECKOUT for this test; afterwards everything is as it was.

    Used after ``snipcart``, or together with it: what either sets stays.
    """
    with ExitStack() as stack:
        if request.config.pluginmanager.hasplugin("django"):
            # Undone together with what the test itself sets, in the right order.
            request.getfixturevalue("settings").SNIPCART_CHECKOUT = _read()
        else:
            stack.enter_context(override_settings(SNIPCART_CHECKOUT=_read()))
        # One override for all changes: each further one would make every look at any setting slower.
        yield CheckoutSettings(_read, lambda changed: setattr(django_settings, "SNIPCART_CHECKOUT", changed))


@pytest.fixture
def snipcart(checkout_settings: CheckoutSettings) -> Iterator[StandIn]:
    """A stand-in Snipcart that the site under test talks to.

    It knows the keys of the site's stores, as they are in the settings at the moment of a call. Shoppers are sent back to
    the first of the site's SHOP_HOSTS.
    """
    api_keys = _SiteKeys(lambda store: store.api_keys)
    secret_keys = _SiteKeys(lambda store: [store.store_secret_key])
    with StandIn(api_keys=api_keys, secret_keys=secret_keys) as stand_in:
        checkout_settings(**stand_in.settings)
        yield stand_in


class _SiteKeys(Collection[str]):
    """One kind of keys of all stores, read anew each time: a test may change them after the stand-in has started."""

    def __init__(self, get_keys: Callable[[Store], Collection[Secret]]) -> None:
        self._get_keys = get_keys

    def _read(self) -> set[str]:
        return {key.reveal() for store in get_settings().stores.values() for key in self._get_keys(store)}

    def __contains__(self, key: object) -> bool:
        return key in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _read() -> Mapping[str, Any]:
    site: Mapping[str, Any] = getattr(django_settings, "SNIPCART_CHECKOUT", {})
    return site
