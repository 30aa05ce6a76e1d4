"""Makes the pictures of docs/desk.md and docs/desk.fr.md: a site with a small ledger, looked at in Chromium.

Nothing but the pictures is kept. The French site shows name.fr.png where a page says name.png.

Run it from the root of the project, in the environment of the tests: ``python .ci/desk_pictures.py``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs/images"
NOW = datetime(2026, 11, 24, 15, 12, tzinfo=UTC)
WIDTH, HEIGHT = 1280, 800
LOCALES = {"en": "en-GB", "fr": "fr-FR"}

sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps an event loop running in this thread

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.testcases import LiveServerThread  # noqa: E402
from django.test.utils import get_runner  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from snipcart_checkout.models import Event, Payment, Refund  # noqa: E402
from tests.conftest import CHROMIUM_ARGUMENTS, FONTS, chromium  # noqa: E402
from tests.settings import RUN_DIRECTORY  # noqa: E402
from tests.support.desk import LIST, REFUNDS, TOTALS, act_url, create_staff, page_of, row  # noqa: E402

METHODS = {
    "acme_card": {"BACKEND": "tests.support.backends.ScriptedBackend", "NAME": "Credit card"},
    "transfer": {
        "BACKEND": "snipcart_checkout.backends.manual.ManualBackend",
        "NAME": "Bank transfer",
        "OPTIONS": {"ACCOUNT_HOLDER": "The Paper Lantern", "IBAN": "FR76 3000 6000 0112 3456 7890 189"},
    },
}


def main() -> None:
    """Write every picture, in every language."""
    store = {**settings.SNIPCART_CHECKOUT["STORES"]["live"], "METHODS": with_directory(METHODS)}
    site = {**settings.SNIPCART_CHECKOUT, "STORES": {"live": store}}
    with override_settings(SNIPCART_CHECKOUT=site, DEBUG=False), serve() as url:
        ledger = create_ledger()
        sam = create_staff("redeliver_payment", name="sam")
        bea = create_staff("export_payment", "refund_payment", "settle_payment", name="bea")
        for language in LOCALES:
            with override_settings(LANGUAGE_CODE=language), open_page() as page:
                log_in(page, url, sam)
                take_support_walk(page, url, ledger)
                log_in(page, url, bea)
                take_bookkeeping_walk(page, url, ledger)


def take_support_walk(page: Page, url: str, ledger: dict[str, Payment]) -> None:
    """Find the payment of a customer who called, see what is wrong, resend."""
    refused = ledger["refused"]
    take(page, "desk-index", f"{url}/admin/")
    take(page, "desk-found", f"{url}{LIST}?{urlencode({'q': refused.display_reference})}")
    take(page, "desk-payment", url + page_of(refused), height=900)
    page.set_viewport_size({"width": WIDTH, "height": 700})
    page.evaluate("document.querySelector('.snipcart-table').scrollIntoView()")
    page.screenshot(path=picture("desk-timeline"))
    take(page, "desk-resend", url + act_url("redeliver", refused), height=520)


def take_bookkeeping_walk(page: Page, url: str, ledger: dict[str, Payment]) -> None:
    """Note a transfer, add the month up, take it as CSV, refund."""
    take(page, "desk-received", url + act_url("mark_received", ledger["transfer"]), height=760)
    take(page, "desk-totals", f"{url}{TOTALS}?month=2026-11", height=900)
    take(page, "desk-refund", url + act_url("refund", ledger["returned"]), height=560)
    take(page, "desk-refunds", f"{url}{REFUNDS}", height=560)


def take(page: Page, name: str, address: str, *, height: int = HEIGHT) -> None:
    """Write the picture of an address."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address)
    page.screenshot(path=picture(name))
    print(picture(name).name)


def picture(name: str) -> Path:
    """Return where a picture belongs in the language of the site."""
    suffix = "" if settings.LANGUAGE_CODE == "en" else f".{settings.LANGUAGE_CODE}"
    return IMAGES / f"{name}{suffix}.png"


def create_ledger() -> dict[str, Payment]:
    """A month of a small shop."""
    for number in range(40):
        when = NOW - timedelta(hours=13 * number + 2)
        add(number, when, minor_units=1950 + 725 * (number % 7), currency="USD" if number % 9 == 4 else "EUR")
    refused = add(57, NOW - timedelta(hours=5), minor_units=9012)
    confirmation = refused.confirmations.get()
    confirmation.status, confirmation.last_http_status, confirmation.attempts = "review", 400, 1
    confirmation.save()
    note(refused, "confirmation_refused", "snipcart", timedelta(seconds=4), outcome="processed")
    for result, minutes in (("accepted", 1), ("refused", 9)):
        note(refused, "notification", "provider", timedelta(minutes=minutes), result=result)
    transfer = add(58, NOW - timedelta(days=3), minor_units=12800, method="transfer", state="pending")
    note(
        transfer,
        "part_received",
        "staff",
        timedelta(days=2),
        actor="bea",
        minor_units=8000,
        received="2026-11-23",
    )
    returned = add(59, NOW - timedelta(days=2), minor_units=4250, refunded_minor_units=1000)
    add_refund(returned, 1000, "bea")
    add_refund(add(60, NOW - timedelta(days=5), minor_units=7700, refunded_minor_units=7700), 7700, "")
    return {"refused": refused, "transfer": transfer, "returned": returned}


def add(
    number: int, when: datetime, *, state: str = "paid", method: str = "acme_card", **columns: Any
) -> Payment:
    """Add a payment with its confirmation and its history."""
    is_paid = state == "paid"
    captured = when + timedelta(seconds=3) if is_paid else None
    payment = row(
        reference=to_reference(number),
        state=state,
        method=method,
        cart_id=str(UUID(int=0x7D1F0C3E_2222_4444_8888_000000000000 + number * 7919)),
        session_id=str(UUID(int=0x226086DA_1111_4222_8333_000000000000 + number * 104729)),
        transaction_id=f"ch_{number * 7919:08x}" if is_paid else "",
        created_at=when,
        claimed_at=when,
        answered_at=when,
        captured_at=captured,
        **columns,
    )
    outcome = "processed" if is_paid else "processing"
    payment.confirmations.create(
        session_key=payment.session_key,
        outcome=outcome,
        status="delivered",
        body="{}",
        attempts=1,
        last_http_status=200,
        created_at=when,
        due_at=when,
        finished_at=when + timedelta(seconds=4),
    )
    note(payment, "charging", "shopper", timedelta())
    note(payment, state, "shopper", timedelta(seconds=3))
    if number < 50 or not is_paid:
        note(payment, "confirmation_delivered", "snipcart", timedelta(seconds=4), outcome=outcome)
    return payment


def to_reference(number: int) -> UUID:
    """A reference whose eighth digit checks the seven before it, the same in every run."""
    from snipcart_checkout.snipcart.references import is_mistyped

    start = f"{(0x8572A9B + number * 7_654_321) % 16**7:07x}"
    check = next(digit for digit in "0123456789abcdef" if not is_mistyped((start + digit).upper()))
    return UUID(f"{start}{check}-1c0d-4e2f-8a31-{number * 7919:012x}")


def note(payment: Payment, name: str, source: str, after: timedelta, *, actor: str = "", **data: Any) -> None:
    """Add a line to the history."""
    Event.objects.create(
        payment=payment, at=payment.created_at + after, name=name, source=source, actor=actor, data=data
    )


def add_refund(payment: Payment, units: int, requested_by: str) -> None:
    """Add a refund that was made."""
    when = payment.created_at + timedelta(days=1)
    Refund.objects.create(
        pk=UUID(int=payment.reference.int + 1),
        payment=payment,
        minor_units=units,
        state="refunded",
        provider_refund_id=f"re_{units:06d}",
        requested_by=requested_by,
        created_at=when,
        updated_at=when,
    )


def with_directory(methods: dict[str, Any]) -> dict[str, Any]:
    """The methods, with the directory in which the tests' backend meets its provider."""
    options = {"OPTIONS": {"DIRECTORY": str(RUN_DIRECTORY)}}
    return {key: {**options, **method} for key, method in methods.items()}


def log_in(page: Page, url: str, user: User) -> None:
    """Have the browser be somebody."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    page.context.clear_cookies()
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])


@contextmanager
def serve() -> Iterator[str]:
    """Serve the tests' site from a database of its own."""
    RUN_DIRECTORY.mkdir(exist_ok=True)
    runner = get_runner(settings)(verbosity=0, interactive=False)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    try:
        yield f"http://127.0.0.1:{thread.port}"
    finally:
        thread.terminate()
        connections.close_all()
        runner.teardown_databases(databases)


@contextmanager
def open_page() -> Iterator[Page]:
    """Open a page whose clock, language and colours are the same in every run."""
    with sync_playwright() as playwright:
        locale = LOCALES[settings.LANGUAGE_CODE]
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=chromium(playwright.chromium.executable_path),
            args=[*CHROMIUM_ARGUMENTS, *sandbox],
            env={**os.environ, "FONTCONFIG_FILE": str(FONTS)},
        )
        yield browser.new_context(color_scheme="light", locale=locale, reduced_motion="reduce").new_page()
        browser.close()


if __name__ == "__main__":
    main()
