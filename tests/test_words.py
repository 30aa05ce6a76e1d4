"""The package speaks the field's words, and none of those that it once made up for itself."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest

import snipcart_checkout

ROOT = Path(snipcart_checkout.__file__).parent

# What a name may not be, or hold between its underscores and capitals, and what is said instead.
WORDS = {
    "heard": "delivered, recorded",
    "journal": "audit log, history",
    "lapse": "expire",
    "lapsed": "expired",
    "lapses": "expires",
    "owed": "pending",
    "owes": "pending",
    "spoil": "fault",
    "spoiled": "fault",
    "spoiling": "fault injection",
    "standing": "attempts",
    "story": "history, activity log",
    "telling": "confirmation",
    "told": "delivered, notified",
    "tries": "attempts",
    "uncertain": "unknown",
    "untold": "pending",
}
# What a name may not begin with.
VERBS = {
    "announce": "send a signal, alert, log",
    "hear": "handle",
    "owe": "enqueue",
    "say": "log",
    "tell": "deliver",
}
# What a name may not be as a whole.
NAMES = {
    "Half": "GatewayMode",
    "MOVES": "TRANSITIONS",
    "asked_at": "looked_up_at",
    "asked_by": "requested_by",
    "asking": "backend_calls",
    "hear_notification": "handle_notification",
    "refunds_asked": "refunds_requested",
    "settle_return": "handle_return",
    "standing_of": "get_attempts",
    "whose_word": "source",
}
# What a text may not say, on a screen, in a log or as a stored value.
TEXTS = re.compile(
    r"\b(announced?|asked by|lapse[ds]?|needs? a person|no more tries|on whose word|owe[ds]?|spoil(?:ed|ing)?"
    r"|the story of|told|uncertain|untold|ask the shop)\b",
    re.IGNORECASE,
)
PARTS_OF_A_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
VARIABLES = re.compile(r"\{\{\s*([\w.]+)|\{% (?:if|elif|for|with|include|firstof)\s+([^%]*)%\}")

SOURCES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
TEMPLATES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.html"))}


@functools.cache
def parsed(source: str) -> ast.Module:
    return ast.parse(SOURCES[source].read_text())


def private_names(names: Iterator[str]) -> list[str]:
    """The names that hold a private word, with what is said instead."""
    return sorted({f"{name}: {instead}" for name in names for instead in objections(name)})


def objections(name: str) -> Iterator[str]:
    if name in NAMES:
        yield NAMES[name]
    verb = name.strip("_").partition("_")[0]
    if verb in VERBS:
        yield VERBS[verb]
    for part in PARTS_OF_A_NAME.findall(name):
        if part.lower() in WORDS:
            yield WORDS[part.lower()]


def names_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.alias):
            yield from (node.name.rpartition(".")[2], node.asname or "")


def texts_in(tree: ast.Module) -> Iterator[str]:
    """Every text but those that explain the code to its readers."""
    explaining = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explaining:
            yield node.value


def private_texts(texts: Iterator[str]) -> list[str]:
    return sorted({text for text in texts if TEXTS.search(text) or text in WORDS or text in NAMES})


def test_modules_are_named_in_the_fields_words() -> None:
    found = {source: private_names(iter(Path(source).with_suffix("").parts)) for source in SOURCES}
    assert {source: names for source, names in found.items() if names} == {}


def test_names_are_the_fields_words() -> None:
    found = {source: private_names(names_in(parsed(source))) for source in SOURCES}
    assert {source: names for source, names in found.items() if names} == {}


# A person is told, and tries again, in plain English; a confirmation is delivered.
IN_PLAIN_ENGLISH = {"told", "tries"}
OF_A_CONFIRMATION = re.compile(r"told_(as|twice)|(counts_as|and)_told|snipcart_is_told")


def test_tests_are_named_in_the_fields_words() -> None:
    tests = sorted(Path(__file__).parent.rglob("*.py"))
    found = {path.name: private_test_names(ast.parse(path.read_text())) for path in tests}
    assert {file: names for file, names in found.items() if names} == {}


def private_test_names(tree: ast.Module) -> list[str]:
    functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return [
        name
        for name in functions
        if OF_A_CONFIRMATION.search(name)
        or (WORDS.keys() - IN_PLAIN_ENGLISH) & {part.lower() for part in PARTS_OF_A_NAME.findall(name)}
    ]


def test_texts_and_stored_values_are_the_fields_words() -> None:
    found = {source: private_texts(texts_in(parsed(source))) for source in SOURCES}
    assert {source: texts for source, texts in found.items() if texts} == {}


def test_functions_are_not_named_after_what_they_belong_to() -> None:
    """``build_form`` or ``get_form``, not ``form_of``."""
    named = {source: functions_of_something(parsed(source)) for source in SOURCES}
    assert {source: names for source, names in named.items() if names} == {}


def functions_of_something(tree: ast.Module) -> list[str]:
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node.name for node in functions if node.name.endswith("_of")]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_speaks_the_fields_words(template: str) -> None:
    text = TEMPLATES[template].read_text()
    used = (name for found in VARIABLES.findall(text) for name in re.findall(r"\w+", " ".join(found)))
    assert private_names(used) == []
    assert TEXTS.findall(text) == []


def test_catalogues_hold_none_of_the_words_that_were_given_up() -> None:
    entries = polib.pofile(str(ROOT / "locale" / "fr" / "LC_MESSAGES" / "django.po"))
    assert private_texts(entry.msgid for entry in entries) == []


@pytest.mark.parametrize(
    "source",
    [
        "def told_before(): ...",
        "class StandingView: ...",
        "payment.asked_at",
        "call(requested=1, is_owed=True)",
        "from snipcart_checkout import spoiling",
        "STATE = 'owed'",
        "_('This payment needs a person')",
        "log('the refund is uncertain')",
    ],
)
def test_a_private_word_is_found(source: str) -> None:
    tree = ast.parse(source)
    assert private_names(names_in(tree)) or private_texts(texts_in(tree))


def test_a_function_of_something_is_found() -> None:
    assert functions_of_something(ast.parse("class A:\n    def form_of(self): ...")) == ["form_of"]


def test_what_explains_the_code_may_use_plain_english() -> None:
    tree = ast.parse('def deliver():\n    """Snipcart is told once."""\n')
    assert private_names(names_in(tree)) == private_texts(texts_in(tree)) == []
