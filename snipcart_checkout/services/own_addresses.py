"""The addresses of this app that others use: Snipcart's dashboard, providers, and links for shoppers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.urls import NoReverseMatch

from snipcart_checkout.conf import Store, get_settings
from snipcart_checkout.conf.links import public_path

# Placeholders in the form of a payment's reference and a link's secret part.
_REFERENCE: Final = UUID(int=0)
_CAPABILITY: Final = "0" * 64


@dataclass(frozen=True, kw_only=True)
class OwnAddress:
    """One address. ``view_name`` is without the namespace; ``path`` follows PUBLIC_URL, ``url`` is the whole."""

    view_name: str
    kwargs: Mapping[str, object] = field(default_factory=dict)
    path: str

    @property
    def url(self) -> str:
        """The absolute URL, as others get it."""
        return get_settings().public_url + self.path


def list_addresses() -> list[OwnAddress]:
    """Return an address of every kind, for each store and method; empty where the app is not mounted."""
    return list(_iterate())


def _iterate() -> Iterator[OwnAddress]:
    stores = get_settings().stores.values()
    if len(stores) == 1:
        yield from _build("checkout")
    for store in stores:
        yield from _of_store(store)
    yield from _build("payment", reference=_REFERENCE)
    yield from _build("payment_return", reference=_REFERENCE)


def _of_store(store: Store) -> Iterator[OwnAddress]:
    yield from _build("payment_methods", store=store.name)
    yield from _build("checkout", store=store.name)
    for method_id in store.methods:
        yield from _build("checkout", store=store.name, method=method_id)
        yield from _build("notification", store=store.name, method=method_id)
    yield from _build("refund", store=store.name, capability=_CAPABILITY)


def _build(view_name: str, **kwargs: object) -> Iterator[OwnAddress]:
    try:
        path = public_path(view_name, **kwargs)
    except NoReverseMatch:
        # A store name that does not fit into an address has its own check.
        return
    yield OwnAddress(view_name=view_name, kwargs=kwargs, path=path)
