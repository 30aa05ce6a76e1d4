"""Writes the parts of the reference that the code knows best, as Markdown.

``fill_in(page)`` replaces each line ``<!-- generated: NAME -->`` by what the function of that name returns. In French it takes
the app's own translations, and of what the app says in English only those of ``french.json``.
"""

from __future__ import annotations

import ast
import json
import re
from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django.utils import translation

PACKAGE: Final = Path(__file__).resolve().parents[2] / "snipcart_checkout"
_FRENCH: Final = json.loads(Path(__file__).with_name("french.json").read_text())
_MARK: Final = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def fill_in(page: str, language: str = "en") -> str:
    """Return a page with its generated parts; raise KeyError for a part that nobody generates or translates."""
    _set_up()
    with translation.override(language):
        return _MARK.sub(lambda mark: GENERATED[mark[1]](), page)


def models() -> str:
    """Return every column of every model, with type and help text."""
    from django.apps import apps

    return "\n\n".join(
        f"## {model.__name__}\n\n{_say(_first_paragraph(model.__doc__ or ''))}\n\n"
        + _table(("field", "type", "what it is"), map(_field_row, model._meta.get_fields()))
        for model in apps.get_app_config("snipcart_checkout").get_models()
    )


def signals() -> str:
    """Return every signal with the text below it in the source."""
    return "\n\n".join(f"### `{name}`\n\n{text}" for name, text in _documented_names(PACKAGE / "signals.py"))


def exceptions() -> str:
    """Return every public exception with its docstring and what it derives from."""
    from snipcart_checkout import exceptions as module

    rows = []
    for name in sorted(module.__all__):
        exception = getattr(module, name)
        rows.append(
            (f"`{name}`", f"`{exception.__base__.__name__}`", _say(_first_paragraph(exception.__doc__)))
        )
    return _table(("exception", "is a", "what it means"), rows)


def urls() -> str:
    """Return every named address below the mount."""
    from snipcart_checkout import urls as module

    rows = [
        (f"`{pattern.name}`", f"`{_plain_route(str(pattern.pattern))}`")
        for pattern in module.urlpatterns
        if pattern.name
    ]
    return _table(("name", "path below the mount"), rows)


def payment_states() -> str:
    """Return the states of a payment."""
    return _choices("Payment", "State")


def refund_states() -> str:
    """Return the states of a refund."""
    return _choices("Refund", "State")


def confirmation_outcomes() -> str:
    """Return Snipcart's words for an outcome."""
    return _choices("Confirmation", "Outcome")


def confirmation_statuses() -> str:
    """Return what may become of a confirmation."""
    return _choices("Confirmation", "Status")


def review_reasons() -> str:
    """Return why a person may have to decide."""
    return _choices("Payment", "ReviewReason")


def decline_reasons() -> str:
    """Return what may end a refund that was not made."""
    return _choices("Refund", "DeclineReason")


def events() -> str:
    """Return the names of the audit log."""
    return _choices("Event", "Name")


def sources() -> str:
    """Return who may bring a change about."""
    return _choices("Event", "Source")


def decline_codes() -> str:
    """Return the codes that have a text of their own on the page, and that text."""
    from snipcart_checkout.presentation import declines

    codes = declines._TEXTS
    return _table(
        ("code", "what the shopper reads"), ((f"`{code}`", str(text)) for code, text in codes.items())
    )


def commands() -> str:
    """Return every command with its options."""
    from django.core.management import get_commands, load_command_class

    ours = sorted(name for name, app in get_commands().items() if app == "snipcart_checkout")
    return "\n\n".join(_command(name, load_command_class("snipcart_checkout", name)) for name in ours)


def _command(name: str, command: Any) -> str:
    # Django's own options are the same for every command.
    usual = {"version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "help"}
    rows = [
        (f"`{option}`", _say(effect))
        for option, effect in _options(command.create_parser("manage.py", name))
        if option.lstrip("-").partition(" ")[0].replace("-", "_") not in usual | {"skip_checks"}
    ]
    table = _table(("option", "what it does"), rows) if rows else ""
    return f"## `{name}`\n\n{_say(command.help)}\n\n{table}"


def _options(parser: ArgumentParser, before: str = "") -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for described in action._choices_actions:
                yield described.dest, described.help or ""
                yield from _options(action.choices[described.dest], f"{described.dest} ")
        elif action.dest != "help":
            yield before + _spelled(action), action.help or ""


def _spelled(action: Action) -> str:
    name = action.option_strings[-1] if action.option_strings else action.dest
    takes_value = action.nargs != 0 and action.option_strings
    return f"{name} {action.metavar or action.dest.upper()}" if takes_value else name


def _choices(model_name: str, name: str) -> str:
    from snipcart_checkout import models as module

    choices = getattr(getattr(module, model_name), name)
    return _table(
        ("value", "meaning"), ((f"`{choice.value}`", str(choice.label)) for choice in choices if choice.value)
    )


def _field_row(field: Any) -> tuple[str, str, str]:
    if field.auto_created and not field.concrete:
        return (
            f"`{field.get_accessor_name()}`",
            _say("the rows of `{}`").format(field.related_model.__name__),
            "",
        )
    kind = type(field).__name__.removesuffix("Field")
    related = _say(" to `{}`").format(field.related_model.__name__) if field.is_relation else ""
    empty = _say(", or null") if field.null else ""
    named = field.help_text or field.verbose_name
    # A name that Django makes up is no lazy translation.
    words = _say(named) if isinstance(named, str) else str(named)
    text = words[:1].upper() + words[1:]
    return f"`{field.name}`", f"{kind}{related}{empty}", text if text.endswith(".") else f"{text}."


def _plain_route(route: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", route) or _say("(the mount itself)")


def _documented_names(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the names that a module assigns at its top, with the text that follows each."""
    body = ast.parse(path.read_text()).body
    for assigned, below in pairwise(body):
        text = below.value if isinstance(below, ast.Expr) else None
        if isinstance(assigned, ast.Assign) and isinstance(text, ast.Constant):
            (target,) = assigned.targets
            yield ast.unparse(target), _plain(str(text.value))


def _first_paragraph(docstring: str) -> str:
    return _plain(docstring.partition("\n\n")[0])


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def _say(text: str) -> str:
    """Return a text of the reference, or of the code, in the active language."""
    return str(_FRENCH[text]) if translation.get_language() == "fr" else text


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [tuple(map(_say, head)), ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _set_up() -> None:
    if not settings.configured:
        settings.configure(
            INSTALLED_APPS=["snipcart_checkout"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            ROOT_URLCONF="snipcart_checkout.urls",
            LANGUAGE_CODE="en",
            USE_TZ=True,
        )
        django.setup()


GENERATED: Final[dict[str, Callable[[], str]]] = {
    function.__name__: function
    for function in (
        commands,
        confirmation_outcomes,
        confirmation_statuses,
        decline_codes,
        decline_reasons,
        events,
        exceptions,
        models,
        payment_states,
        refund_states,
        review_reasons,
        signals,
        sources,
        urls,
    )
}
