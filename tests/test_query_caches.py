"""A site with a query cache: the ledger is read outside of django-cacheops, and a check names the line for django-cachalot.

Neither package is here. A stand-in gives every queryset what django-cacheops gives it, and keeps without end; an empty app
is called as django-cachalot is, whose settings are all that the check reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.db.models import Model, QuerySet
from django.test import Client

from snipcart_checkout import services
from snipcart_checkout.checks import TAG
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.testing import StandIn, ask_for_refund
from tests.support.backends import Provider
from tests.support.ledger import pay, provider
from tests.support.shopper import Shopper

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["provider"]

pytestmark = pytest.mark.django_db(transaction=True)

LEDGER = (Payment, Confirmation, Refund, Event)


class Kept(dict[tuple[str, str], Any]):
    """What was read once, and is read again from here, whatever was written since."""

    models: set[type[Model]]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models = set()
        clone = QuerySet._clone  # type: ignore[attr-defined]

        def nocache(rows: Any) -> Any:
            rows.is_kept = False
            return rows

        def clone_with_choice(rows: Any) -> Any:
            copy = clone(rows)
            copy.is_kept = rows.is_kept
            return copy

        monkeypatch.setattr(QuerySet, "is_kept", True, raising=False)
        monkeypatch.setattr(QuerySet, "nocache", nocache, raising=False)
        monkeypatch.setattr(QuerySet, "_clone", clone_with_choice)
        for read in ("_fetch_all", "count", "exists", "aggregate"):
            monkeypatch.setattr(QuerySet, read, self.keep(read, getattr(QuerySet, read)))

    def keep(self, name: str, read: Any) -> Any:
        def read_once(rows: Any, *args: Any, **kwargs: Any) -> Any:
            if not rows.is_kept or rows.query.is_empty() or rows._result_cache is not None:
                return read(rows, *args, **kwargs)
            self.models.add(rows.model)
            key = name, f"{rows.query} {args} {kwargs}"
            if key not in self:
                answer = read(rows, *args, **kwargs)
                self[key] = answer, rows._result_cache
            answer, rows._result_cache = self[key]
            return answer

        return read_once


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    cache = Kept()
    cache.install(monkeypatch)
    return cache


def test_the_stand_in_keeps_what_other_apps_read(kept: Kept) -> None:
    assert (User.objects.count(), list(User.objects.all())) == (0, [])
    User.objects.create(username="ada")
    assert (User.objects.count(), list(User.objects.all())) == (0, [])
    assert kept.models == {User}


def test_nothing_of_the_ledger_is_kept(kept: Kept, snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    (session,) = snipcart.sessions
    shopper = Shopper()
    for _ in range(2):
        shopper.look(payment)
    provider.complete(payment.reference)
    headers, body = provider.notification(payment.reference)

    shopper.come_back(payment)
    Client().post(
        "/checkout/live/notifications/acme_card/", body, content_type="application/json", headers=headers
    )
    refunds = [ask_for_refund(session, amount).status_code for amount in ("3.10", "3.10", "9.20", "0.01")]
    services.settle()

    payment.refresh_from_db()
    assert payment.state == "paid"
    assert Payment.objects.get().refunded_minor_units == 1230
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]
    assert refunds == [200, 200, 200, 409]
    assert kept.models.isdisjoint(LEDGER)


def test_what_belongs_to_a_row_is_not_kept_either(kept: Kept, snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)
    assert not payment.refunds.exists()
    (session,) = snipcart.sessions
    ask_for_refund(session, "3.10")

    assert payment.refunds.exists()
    assert Refund.objects.get().payment == payment
    assert kept.models.isdisjoint(LEDGER)


@pytest.fixture
def cachalot(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cachalot").mkdir()
    (tmp_path / "cachalot" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "cachalot"]


def hints() -> list[str]:
    return [str(message.hint) for message in run_checks(tags=[TAG]) if message.id == f"{TAG}.E313"]


HINT = "CACHALOT_UNCACHABLE_APPS = ['snipcart_checkout']"
TABLES = [model._meta.db_table for model in LEDGER]


@pytest.mark.usefixtures("cachalot")
@pytest.mark.parametrize(
    "written, hint",
    [
        ({}, HINT),
        ({"UNCACHABLE_APPS": ["blog"]}, "CACHALOT_UNCACHABLE_APPS = ['blog', 'snipcart_checkout']"),
        ({"UNCACHABLE_TABLES": TABLES[1:]}, HINT),
        ({"ONLY_CACHABLE_APPS": ["snipcart_checkout"]}, HINT),
        ({"ONLY_CACHABLE_TABLES": ["blog_post", TABLES[0]]}, HINT),
        ({"DATABASES": ["default"]}, HINT),
    ],
)
def test_django_cachalot_is_told_to_leave_the_ledger_alone(
    settings: Any, written: dict[str, Any], hint: str
) -> None:
    for name, value in written.items():
        setattr(settings, f"CACHALOT_{name}", value)
    assert hints() == [hint]

    settings.CACHALOT_UNCACHABLE_APPS = [*written.get("UNCACHABLE_APPS", []), "snipcart_checkout"]
    assert hints() == []


@pytest.mark.usefixtures("cachalot")
@pytest.mark.parametrize(
    "written",
    [
        {"ENABLED": False},
        {"UNCACHABLE_TABLES": TABLES},
        {"ONLY_CACHABLE_APPS": ["blog"]},
        {"ONLY_CACHABLE_TABLES": ["blog_post"]},
        {"DATABASES": {"reports"}},
    ],
)
def test_a_django_cachalot_that_leaves_it_alone_is_not_told(settings: Any, written: dict[str, Any]) -> None:
    for name, value in written.items():
        setattr(settings, f"CACHALOT_{name}", value)
    assert hints() == []


def test_nobody_else_is_told() -> None:
    assert hints() == []
