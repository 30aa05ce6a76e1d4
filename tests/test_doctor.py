"""The doctor prints what to enter in Snipcart's dashboard, asks Snipcart, and lists what is wrong."""

from __future__ import annotations

import io
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.utils import timezone

from snipcart_checkout.models import Payment
from snipcart_checkout.services.diagnosis import Diagnosis, diagnose
from snipcart_checkout.testing import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

pytestmark = pytest.mark.django_db

KEY = "sk_live_0123456789"
STORE: dict[str, Any] = {
    "API_KEYS": [KEY],
    "SHOP_HOSTS": ["shop.example"],
    "METHODS": {"acme_card": {"BACKEND": "tests.backends.AcmeBackend", "NAME": "Card"}},
}


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn() as snipcart:
        yield snipcart


@pytest.fixture(autouse=True)
def _healthy_site(settings: Settings, stand_in: StandIn) -> None:
    settings.DEBUG = True
    settings.SNIPCART_CHECKOUT = {
        "PUBLIC_URL": "https://pay.shop.example",
        "STORES": {"live": STORE},
        "READ_TIMEOUT": 10,
        "TOTAL_TIMEOUT": 20,
        **stand_in.settings,
    }


def change(settings: Settings, **changes: Any) -> None:
    settings.SNIPCART_CHECKOUT = {**settings.SNIPCART_CHECKOUT, **changes}


def run(*arguments: str) -> tuple[int, str]:
    """The exit code and everything that was printed."""
    printed = io.StringIO()
    try:
        call_command("snipcart_doctor", *arguments, stdout=printed, stderr=printed)
    except SystemExit as end:
        return int(end.code or 0), printed.getvalue()
    return 0, printed.getvalue()


def connection_problem(diagnosis: Diagnosis) -> str:
    assert diagnosis.connection is not None
    return diagnosis.connection.problem


class TestAddresses:
    def test_each_store_has_a_url_to_paste(self, settings: Settings) -> None:
        trial = {**STORE, "MODE": "test", "API_KEYS": ["test-key"]}
        change(settings, STORES={"live": STORE, "trial": trial})
        code, printed = run()
        lines = [line.strip() for line in printed.splitlines()]
        assert code == 0
        assert "Store live, for the Live half of Snipcart's configuration" in lines
        assert "https://pay.shop.example/checkout/live/payment-methods/" in lines
        assert "Store trial, for the Test half of Snipcart's configuration" in lines
        assert "https://pay.shop.example/checkout/trial/payment-methods/" in lines

    def test_a_provider_that_sends_notifications_has_a_url_too(
        self, settings: Settings, tmp_path: Any
    ) -> None:
        scripted = {
            "BACKEND": "tests.backends.ScriptedBackend",
            "NAME": "Card",
            "OPTIONS": {"DIRECTORY": str(tmp_path)},
        }
        change(settings, STORES={"live": {**STORE, "METHODS": {**STORE["METHODS"], "scripted": scripted}}})
        (store,) = diagnose().stores
        assert store.notification_urls == {
            "scripted": "https://pay.shop.example/checkout/live/notifications/scripted/"
        }
        assert "https://pay.shop.example/checkout/live/notifications/scripted/" in run()[1]

    def test_a_backend_that_cannot_be_built_has_no_url_for_notifications(self, settings: Settings) -> None:
        broken = {"BACKEND": "tests.backends.Missing", "NAME": "Card"}
        change(settings, STORES={"live": {**STORE, "METHODS": {"broken": broken}}})
        (store,) = diagnose(offline=True).stores
        assert store.notification_urls == {}

    def test_an_address_that_cannot_be_told_is_not_made_up(self, settings: Settings) -> None:
        change(settings, PUBLIC_URL="")
        code, printed = run()
        assert code == 1
        assert "cannot be told yet" in printed
        assert "/payment-methods/" not in printed

    def test_addresses_that_are_not_mounted_are_told_as_such(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.test_doctor"
        code, printed = run()
        assert code == 1
        assert "cannot be told yet" in printed
        assert 'path("checkout/", include("snipcart_checkout.urls")),' in printed


class TestConnection:
    def test_a_snipcart_that_refuses_the_token_is_reached(self, stand_in: StandIn) -> None:
        code, printed = run()
        assert code == 0
        assert "Snipcart answers at 127.0.0.1" in printed
        assert len(stand_in.calls_to("validate")) == 1

    def test_a_snipcart_that_is_down_is_wrong(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        change(settings, API_URL=f"http://127.0.0.1:{port}/api")
        code, printed = run()
        assert code == 1
        assert "Snipcart cannot be used at 127.0.0.1" in printed
        assert "Snipcart does not answer as it should" in printed

    @pytest.mark.parametrize("fault", [500, 503, 302, "cut-before"])
    def test_a_snipcart_out_of_order_is_wrong(self, stand_in: StandIn, fault: str | int) -> None:
        stand_in.fail("validate", fault)
        assert connection_problem(diagnose())

    def test_whoever_accepts_every_token_is_not_snipcart(self, stand_in: StandIn) -> None:
        stand_in.fail("validate", 200)
        diagnosis = diagnose()
        assert "cannot be genuine" in connection_problem(diagnosis)
        assert not diagnosis.is_healthy

    def test_offline_nobody_is_asked(self, stand_in: StandIn) -> None:
        code, printed = run("--offline")
        assert code == 0
        assert "was not tested" in printed
        assert stand_in.calls == []


class TestFindings:
    def test_a_site_in_order_is_told_so(self) -> None:
        assert run()[1].splitlines()[-1] == "Nothing is wrong."

    def test_every_mistake_is_listed_with_its_hint(self, settings: Settings) -> None:
        change(settings, STORE={}, STORES={"live": {**STORE, "API_KEYS": KEY}})
        code, printed = run()
        assert code == 1
        assert "snipcart_checkout.E002" in printed
        assert "    Write 'STORES' instead." in printed
        assert "snipcart_checkout.E104" in printed
        assert "It is incomplete and offers no payment method" in printed
        assert printed.splitlines()[-1] == "2 things are wrong."

    def test_a_site_without_settings_is_shown_what_to_write(self, settings: Settings) -> None:
        settings.SNIPCART_CHECKOUT = None
        code, printed = run("--offline")
        assert code == 1
        assert "    SNIPCART_CHECKOUT = {" in printed

    def test_a_warning_is_listed_and_is_no_failure(self, settings: Settings) -> None:
        settings.DEBUG = False
        code, printed = run()
        assert code == 0
        assert "Worth a look" in printed
        assert "snipcart_checkout.W002" in printed

    def test_a_silenced_check_is_silent(self, settings: Settings) -> None:
        change(settings, STORE={})
        settings.SILENCED_SYSTEM_CHECKS = ["snipcart_checkout.E002"]
        assert run()[0] == 0

    def test_nothing_printed_holds_a_key(self, settings: Settings, stand_in: StandIn) -> None:
        api_url = stand_in.settings["API_URL"].replace("//", f"//user:{KEY}@")
        change(settings, API_URL=api_url, STORES={"live": {**STORE, "API_KEYS": KEY}})
        code, printed = run()
        assert code == 1
        assert KEY not in printed


urlpatterns: list[Any] = []


def test_work_that_nobody_finishes_is_said(settings: Settings) -> None:
    payment = Payment.objects.create(
        store="live",
        method="acme_card",
        session_id="s",
        session_key="k",
        live_key="k",
        state=Payment.State.UNKNOWN,
        minor_units=100,
        currency="EUR",
        capability_hash="c",
        claimed_at=timezone.now() - timedelta(minutes=20),
    )
    code, said = run("--offline")
    assert code == 1
    assert "snipcart_settle seems not to run" in said

    Payment.objects.filter(pk=payment.pk).update(asked_at=timezone.now())
    assert run("--offline")[0] == 0


def test_tables_that_are_missing_are_said() -> None:
    def refuse(*_: Any) -> None:
        raise ProgrammingError

    with connection.execute_wrapper(refuse):
        code, said = run("--offline")

    assert code == 1
    assert "run manage.py migrate" in said
