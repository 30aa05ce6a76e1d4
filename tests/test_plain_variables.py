"""A variable that is rendered in fewer steps is what Django makes of it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.template import Context, Engine
from django.template.base import VariableNode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from snipcart_checkout.views.plain_variables import hasten

ENGINE = Engine(string_if_invalid="(%s)")


class Descriptor:
    """Gives something else than what stands in the object, as Django's file fields do."""

    def __get__(self, instance: object, owner: type) -> str:
        return "<of the descriptor>"

    def __set__(self, instance: object, value: str) -> None:
        vars(instance)["described"] = value


class Quiet(Exception):
    silent_variable_failure = True


class Thing:
    """What may stand behind a dot."""

    described = Descriptor()

    def __init__(self) -> None:
        self.described = "in the object"
        self.text = "<b> & 'c'"

    @property
    def broken_quietly(self) -> str:
        raise Quiet

    @property
    def broken(self) -> str:
        raise RuntimeError("broken")

    @property
    def without_an_attribute(self) -> str:
        raise AttributeError("another one")

    def method(self) -> str:
        return "<called>"

    def deleted(self) -> str:
        raise AssertionError("this was called")

    deleted.alters_data = True  # type: ignore[attr-defined]


class WithItems(Thing):
    def __getitem__(self, name: str) -> str:
        return f"<item {name}>"


class Factory:
    """Is called before anything is looked up in what it returns."""

    text = "of the factory"
    made = Thing()

    def __call__(self) -> Thing:
        return self.made


class OwnText(str):
    def __str__(self) -> str:
        return "<its own>"


VALUES: dict[str, Any] = {
    "text": "<b> & \"c\" 'd'",
    "safe": SafeString("<b>"),
    "own": OwnText("x"),
    "lazy": gettext_lazy("Total"),
    "nothing": None,
    "truth": True,
    "number": 1234567,
    "amount": Decimal("1234.50"),
    "moment": datetime.datetime(2026, 11, 25, 12, 30, tzinfo=datetime.UTC),
    "called": lambda: "<called>",
    "thing": Thing(),
    "items": WithItems(),
    "factory": Factory(),
    "mapping": {"text": "<in it>", "keys": "<not the method>"},
    "pairs": [("<first>", 1)],
}
NAMES = [
    *VALUES,
    "missing",
    "thing.text",
    "thing.described",
    "thing.method",
    "thing.deleted",
    "thing.missing",
    "thing.missing.more",
    "thing.broken_quietly",
    "thing.text.upper",
    "thing.text.0",
    "items.text",
    "factory.text",
    "mapping.text",
    "mapping.keys",
    "mapping.missing",
    "pairs.0.0",
    "text|upper",
    "missing|default:text",
    "'quoted'",
    "_('Total')",
]


def node_of(name: str) -> VariableNode:
    (node,) = ENGINE.from_string("{{ " + name + " }}").nodelist
    assert isinstance(node, VariableNode)
    return node


@pytest.mark.parametrize("autoescape", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_django_makes_of_it(name: str, autoescape: bool) -> None:
    node = node_of(name)
    context = Context({"text": "hidden by a layer above", "thing": None}, autoescape=autoescape)
    context.push(VALUES)
    template = ENGINE.from_string("")

    with context.bind_template(template):
        assert hasten(node).render(context) == node.render(context)


@pytest.mark.parametrize("name", ["thing.broken", "thing.without_an_attribute"])
def test_what_django_raises_is_raised(name: str) -> None:
    node = node_of(name)
    context = Context({"thing": Thing()})

    with context.bind_template(ENGINE.from_string("")):
        try:
            expected = node.render(context)
        except Exception as error:
            with pytest.raises(type(error), match=str(error)):
                hasten(node).render(context)
        else:
            assert hasten(node).render(context) == expected


class Counted:
    looks = 0

    @property
    def number(self) -> int:
        self.looks += 1
        return self.looks


def test_what_a_sites_own_object_has_to_find_out_is_asked_for_once() -> None:
    counted = Counted()

    assert hasten(node_of("thing.number")).render(Context({"thing": counted})) == "1"
    assert counted.looks == 1


def test_text_is_found_without_djangos_way(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = hasten(node_of("thing.text"))
    monkeypatch.setattr(VariableNode, "render", None)

    assert fast.render(Context({"thing": Thing()})) == "&lt;b&gt; &amp; &#x27;c&#x27;"
