"""What happens to a site from outside, each a function that a process of its own can run.

``ready`` is called when everything is prepared; in a race it returns to all at the same moment.
"""

from __future__ import annotations

import html
import os
import re
import signal
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client

from snipcart_checkout import services, signals
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services import (
    give_up,
    mark_expired,
    mark_given_back,
    mark_received,
    prune,
    resolve_review,
)
from tests.support.backends import wait_for
from tests.support.moments import Moment

Ready = Callable[[], object]
Form = tuple[str, dict[str, str], str]
Fate = Mapping[str, Any]
"""What happens to a process. ``statement``: it is killed before its nth statement that matters, as ``Moment`` says;
``when_paid``: once a payment is committed as paid; ``at_the_end``: when it has done everything. ``held_in`` names a folder:
before its first INSERT into the table that ``held_at`` names (``payment``), or its first statement that matches the
pattern ``held_before``, it makes the file ``held`` there and waits for the file ``go``. ``loses``: the answer to its nth
COMMIT is lost, with the connection; with ``late`` the COMMIT itself takes so many seconds longer. ``named_in``: the file
into which it writes the id of its connection."""


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


def let_expire(ready: Ready, reference: str) -> bool:
    """Be staff who wait no longer."""
    payment = Payment.objects.get(pk=reference)
    ready()
    return mark_expired(payment, by="somebody")


def close(ready: Ready, reference: str) -> bool:
    """Be staff who close the case."""
    payment = Payment.objects.get(pk=reference)
    ready()
    return resolve_review(payment, "closed", note="settled elsewhere", by="somebody")


def give_back(ready: Ready, reference: str, units: int) -> bool:
    """Be staff who gave money back by hand."""
    payment = Payment.objects.get(pk=reference)
    ready()
    try:
        return mark_given_back(payment, units, by="somebody") is not None
    except ValueError:  # more than is left
        return False


def undo_given_back(ready: Ready, refund: str) -> bool:
    """Be staff who marked money as given back by mistake."""
    marked = Refund.objects.get(pk=refund)
    ready()
    return services.undo_given_back(marked, note="another order", by="somebody")


def tidy_up(ready: Ready, days: int) -> dict[str, int]:
    """Delete what is older, as ``manage.py snipcart_prune`` does."""
    ready()
    return vars(prune(older_than=timedelta(days=days)))


def settle_once(ready: Ready) -> Any:
    """Finish what was left, as ``manage.py snipcart_settle`` does, whose exit code it returns."""
    connection.ensure_connection()
    ready()
    try:
        call_command("snipcart_settle")
    except SystemExit as end:
        return end.code
    return 0


def settle_as_tenant(ready: Ready) -> Any:
    """Finish what was left over a connection that knows which tenant it works for, as another one would not."""
    with connection.execute_wrapper(lambda execute, *arguments: execute(*arguments)):
        return settle_once(ready)


def fated(ready: Ready, fate: Fate, function: Callable[..., Any], *arguments: Any) -> Any:
    """Do something, and come to grief on the way."""
    if "statement" in fate:
        connection.execute_wrappers.append(Moment(fate["statement"], die))
    if "when_paid" in fate:
        signals.payment_paid.connect(_die_when_told, weak=False)
    if "held_in" in fate:
        insert = f"INSERT INTO .snipcart_checkout_{fate.get('held_at', 'payment')}\\W"
        connection.execute_wrappers.append(_Hold(Path(fate["held_in"]), fate.get("held_before", insert)))
    if "named_in" in fate:
        _write_connection_id(Path(fate["named_in"]))
    if "loses" in fate:
        return _lose_an_answer(fate["loses"], lambda: function(ready, *arguments), late=fate.get("late", 0))
    result = function(ready, *arguments)
    if "at_the_end" in fate:
        die()
    return result


class _Hold:
    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder, self.pattern = folder, pattern

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        if re.match(self.pattern, sql) and not (self.folder / "held").exists():
            (self.folder / "held").touch()
            wait_for(self.folder / "go")
        return execute(sql, *arguments)


def _write_connection_id(path: Path) -> None:
    function = {"postgresql": "pg_backend_pid()", "mysql": "CONNECTION_ID()"}[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}")
        draft = path.with_suffix(".draft")
        draft.write_text(str(cursor.fetchone()[0]))
        draft.replace(path)


def _lose_an_answer(nth: int, work: Callable[[], Any], *, late: float) -> dict[str, Any]:
    """Do something of which the nth COMMIT happens unheard; ``lost`` tells whether there were so many."""
    wrapper: Any = connection
    commit, left = wrapper._commit, [nth]

    def commit_unheard() -> None:
        left[0] -= 1
        if left[0] == 0 and late:
            _commit_later(late)
        else:
            commit()
        if left[0] == 0:
            if connection.vendor != "sqlite":
                connection.connection.close()
            raise OperationalError("the connection was lost while COMMIT was answered")

    wrapper._commit = commit_unheard
    try:
        return {"answer": work(), "lost": left[0] <= 0}
    finally:
        del wrapper._commit


def _commit_later(seconds: float) -> None:
    """Leave the transaction to a thread that commits it in a while, as a server does whose client is gone."""
    server_side: Any = connection.connection
    connection.connection = connection.copy().get_new_connection(connection.get_connection_params())
    threading.Timer(seconds, server_side.commit).start()


def _die_when_told(**_arguments: Any) -> None:
    die()


def die() -> None:
    """End as when the power fails."""
    os.kill(os.getpid(), signal.SIGKILL)
