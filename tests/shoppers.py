"""What happens to a site from outside, each a function that a process of its own can run.

``ready`` is called when everything is prepared; in a race it returns to all at the same moment.
"""

from __future__ import annotations

import html
import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test import Client

from snipcart_checkout import signals
from snipcart_checkout.models import Payment
from snipcart_checkout.services import give_up, mark_lapsed, mark_received
from tests.backends import wait_for

Ready = Callable[[], object]
Form = tuple[str, dict[str, str], str]
Fate = Mapping[str, Any]
"""What happens to a process. ``statement``: it is killed before its nth statement to the database; ``when_paid``: once
a payment is committed as paid; ``at_the_end``: when it has done everything. ``held_in`` names a folder: before the
process opens a payment it makes the file ``held`` there and waits for the file ``go``."""


def fields_of(page: Any) -> dict[str, str]:
    """What a browser posts when the shopper presses the button of a page's form."""
    fields = {}
    for tag in re.findall(r"<input\b[^>]*>", page.content.decode()):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in attributes:
            fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return fields


def shown(response: Any) -> dict[str, Any]:
    """What a browser makes of an answer."""
    return {"status": response.status_code, "location": response.headers.get("Location", "")}


def open_page(public_token: str, method: str) -> Form:
    """Open the method's page, and return what its button would post and the cookie that goes with it."""
    client = Client()
    path = f"/checkout/live/methods/{method}/"
    page = client.get(path, {"publicToken": public_token})
    if page.status_code != 200:
        raise AssertionError(f"the page cannot be opened: {page.status_code}")
    return path, fields_of(page), client.cookies["csrftoken"].value


def press(ready: Ready, form: Form) -> dict[str, Any]:
    """Press the button of an open page."""
    path, fields, cookie = form
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = cookie
    ready()
    return shown(client.post(path, fields))


def submit(ready: Ready, public_token: str, method: str) -> dict[str, Any]:
    """Open the page and press its button."""
    return press(ready, open_page(public_token, method))


def come_back(ready: Ready, reference: str) -> dict[str, Any]:
    """Return from the provider."""
    ready()
    return shown(Client().get(f"/checkout/payments/{reference}/return/"))


def notify(ready: Ready, method: str, headers: Mapping[str, str], body: str) -> dict[str, Any]:
    """Be the provider that says something happened."""
    path = f"/checkout/live/notifications/{method}/"
    ready()
    return shown(Client().post(path, body, content_type="application/json", headers=dict(headers)))


def ask_refund(ready: Ready, path: str, body: str) -> dict[str, Any]:
    """Be Snipcart's dashboard."""
    ready()
    response = Client().post(path, body, content_type="application/json")
    return {**shown(response), "body": response.json()}


def go_back(ready: Ready, reference: str) -> None:
    """Choose to go back to the shop after a decline."""
    payment = Payment.objects.get(pk=reference)
    ready()
    give_up(payment)


def receive(ready: Ready, reference: str) -> bool:
    """Be staff who saw the money arrive."""
    payment = Payment.objects.get(pk=reference)
    ready()
    return mark_received(payment, by="somebody")


def let_lapse(ready: Ready, reference: str) -> bool:
    """Be staff who wait no longer."""
    payment = Payment.objects.get(pk=reference)
    ready()
    return mark_lapsed(payment, by="somebody")


def settle_once(ready: Ready) -> Any:
    """Finish what was left, as ``manage.py snipcart_settle`` does, whose exit code it returns."""
    connection.ensure_connection()
    ready()
    try:
        call_command("snipcart_settle")
    except SystemExit as end:
        return end.code
    return 0


def fated(ready: Ready, fate: Fate, function: Callable[..., Any], *arguments: Any) -> Any:
    """Do something, and come to grief on the way."""
    if "statement" in fate:
        connection.execute_wrappers.append(_Death(fate["statement"]))
    if "when_paid" in fate:
        signals.payment_paid.connect(_die_when_told, weak=False)
    if "held_in" in fate:
        connection.execute_wrappers.append(_Hold(Path(fate["held_in"])))
    result = function(ready, *arguments)
    if "at_the_end" in fate:
        die()
    return result


class _Death:
    def __init__(self, statements: int) -> None:
        self.left = statements

    def __call__(self, execute: Any, *arguments: Any) -> Any:
        self.left -= 1
        if not self.left:
            die()
        return execute(*arguments)


class _Hold:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        opens = sql.startswith("INSERT") and Payment._meta.db_table in sql.partition("(")[0]
        if opens and not (self.folder / "held").exists():
            (self.folder / "held").touch()
            wait_for(self.folder / "go")
        return execute(sql, *arguments)


def _die_when_told(**_arguments: Any) -> None:
    die()


def die() -> None:
    """End as when the power fails."""
    os.kill(os.getpid(), signal.SIGKILL)
