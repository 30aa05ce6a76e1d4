"""Constant folding of templates: what is the same on every page of one language and store is rendered once.

A page is an ordinary Django template, and so is a site's own. Looking up names, choosing branches and translating texts
is most of what rendering costs, and most of it comes to the same text each time. ``fold`` returns a template that gives
the same page with those texts in place; whatever it does not know for certain it leaves to Django.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Collection, Hashable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from django.template import Context, Node, NodeList, Origin, TemplateDoesNotExist, Variable
from django.template.backends.django import DjangoTemplates
from django.template.backends.django import Template as BackendTemplate
from django.template.base import (
    FilterExpression,
    Template,
    TextNode,
    TokenType,
    VariableDoesNotExist,
    VariableNode,
)
from django.template.defaulttags import (
    CommentNode,
    CsrfTokenNode,
    FirstOfNode,
    ForNode,
    IfNode,
    LoadNode,
    WithNode,
)
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode
from django.template.loaders.cached import Loader as CachedLoader
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils import translation

from snipcart_checkout.views.plain_variables import hasten

_SHIPPED: Final = Path(__file__).parent.parent / "templates"
_MOST_FOLDED: Final = 256
# Filters of Django's that give another text each time, or at another time of day.
_IMPURE: Final = frozenset({"random", "timesince", "timeuntil"})
# Nodes that change nothing beside what they contain.
_STATELESS: Final = (CsrfTokenNode,)

_Key: TypeAlias = tuple[tuple[str, Hashable], ...]


class _Unfoldable(Exception):
    """The template does something whose outcome is known only while it is rendered."""


def fold(
    template: Any, constants: Mapping[str, Hashable], truths: Mapping[str, bool], finished: Mapping[str, str]
) -> Any:
    """Return a template that renders like ``template`` in the active language, wherever the context has these values.

    ``constants`` are dotted names of the context (``store.name``) with their values, ``truths`` are such names of which
    only that is known whether their values are true. ``finished`` names, for a template of
    ours, the name of the context that holds its text; it counts while the site has no copy of its own of that template.
    Templates of other engines, and of one that reads them anew each time, as with DEBUG, are returned as they are.
    """
    if not isinstance(template, BackendTemplate) or not keeps_templates(template.backend):
        return template
    key = (tuple(constants.items()), tuple(truths.items()), tuple(finished.items()))
    folded = _fold(template.template, translation.get_language(), *key, _is_watched())
    if folded is None:
        return template
    return BackendTemplate(folded, template.backend)


def keeps_templates(backend: object) -> bool:
    """Return whether an engine reads each template once and for all."""
    if not isinstance(backend, DjangoTemplates) or backend.engine.debug:
        return False
    loaders = backend.engine.template_loaders
    return len(loaders) == 1 and isinstance(loaders[0], CachedLoader)


@lru_cache(maxsize=_MOST_FOLDED)
def _fold(
    template: Template, _language: str | None, constants: _Key, truths: _Key, finished: _Key, watched: bool
) -> Template | None:
    """Return the folded template; None for one that cannot be folded."""
    try:
        nodes = _Folding(template, dict(constants), dict(truths), dict(finished), watched=watched).page()
    except (_Unfoldable, TemplateDoesNotExist):
        return None
    folded = copy.copy(template)
    folded.nodelist = nodes
    return folded


class _Mark(Node):
    """The place of a template that was folded into another one, for ``assertTemplateUsed`` and the like."""

    def __init__(self, template: Template) -> None:
        self._used = template

    def render(self, context: Context) -> str:
        from django.test.signals import template_rendered

        template_rendered.send(sender=self._used, template=self._used, context=context)
        return ""


def _is_watched() -> bool:
    """Return whether Django's test runner records which templates are rendered."""
    # Nothing imports it outside of a test run.
    runner = sys.modules.get("django.test.utils")
    return runner is not None and vars(Template)["_render"] is runner.instrumented_test_render


class _Folding:
    """One template with all that it extends and includes."""

    def __init__(
        self,
        template: Template,
        constants: Mapping[str, Hashable],
        truths: Mapping[str, Hashable],
        finished: Mapping[str, Hashable],
        *,
        watched: bool,
    ) -> None:
        self._template = template
        self._watched = watched
        self._engine = template.engine
        self._finished = finished
        self._blocks: dict[str, list[BlockNode]] = {}
        self._know(constants, truths)

    def _know(self, constants: Mapping[str, Hashable], truths: Mapping[str, Hashable]) -> None:
        self._constants, self._truths = constants, truths
        self._first_names = {_first(name) for name in (*constants, *truths)}
        self._context = Context(_nested(constants), autoescape=self._engine.autoescape)
        self._conditions = Context(_nested({**truths, **constants}), autoescape=self._engine.autoescape)
        # Their own way to be bound ends with a ``with`` block, and these live as long as this object.
        self._context.template = self._conditions.template = self._template

    def page(self) -> NodeList:
        return self._merged(self._nodes(self._root(self._template), frozenset(), ()))

    def _mark(self, *templates: Template) -> Iterator[Node]:
        """Yield what tells a test runner that these templates are used here."""
        if self._watched:
            yield from map(_Mark, templates)

    def _root(self, template: Template) -> list[Node]:
        """Return the nodes of what everything extends, and collect the blocks on the way, the innermost first."""
        history: list[Origin] = [template.origin]
        marks: list[Node] = []
        while True:
            extends: Any = next((node for node in template.nodelist if type(node) is ExtendsNode), None)
            blocks: Any = (extends or template).nodelist.get_nodes_by_type(BlockNode)
            for block in blocks:
                self._blocks.setdefault(block.name, []).append(block)
            if extends is None:
                return [*marks, *template.nodelist]
            name = extends.parent_name.var
            if not isinstance(name, str) or extends.parent_name.filters:
                raise _Unfoldable
            template, origin = self._engine.find_template(name, skip=history)
            history.append(origin)
            marks += self._mark(template)

    def _nodes(
        self, nodes: Collection[Node], shadowed: frozenset[str], block: tuple[BlockNode, ...]
    ) -> Iterator[Node]:
        """Fold nodes; ``shadowed`` names mean something else there, ``block`` is what ``block.super`` leads to."""
        for node in nodes:
            yield from self._node(node, shadowed, block)

    def _node(self, node: Node, shadowed: frozenset[str], block: tuple[BlockNode, ...]) -> Iterator[Node]:
        kind = type(node)
        if kind in _HANDLERS:
            yield from _HANDLERS[kind](self, node, shadowed, block)
        elif kind in {LoadNode, CommentNode}:
            return
        else:
            if kind not in _STATELESS or getattr(node, "asvar", None):
                self._refuse_meddling(node)
            yield node

    def _refuse_meddling(self, node: Node) -> None:
        """Refuse a node that may give a constant another value, or that holds a block, which nobody would find."""
        for inner in node.get_nodes_by_type(Node):
            if isinstance(inner, BlockNode) or self._first_names & set(_texts(vars(inner).values())):
                raise _Unfoldable
            if isinstance(inner, VariableNode) and inner.filter_expression.token.startswith("block"):
                raise _Unfoldable

    def _variable(self, node: Any, shadowed: frozenset[str], block: tuple[BlockNode, ...]) -> Iterator[Node]:
        name = node.filter_expression.token
        if name == "block.super":
            yield from self._unfold_block(block, shadowed)
        elif name.startswith("block.") or name == "block":
            raise _Unfoldable
        else:
            yield self._text(node) if self._is_constant(node.filter_expression, shadowed) else hasten(node)

    def _translation(self, node: Any, shadowed: frozenset[str], block: Any) -> Iterator[Node]:
        expressions = filter(None, (node.filter_expression, node.message_context))
        if node.asvar:
            self._refuse_meddling(node)
            yield node
        else:
            constant = all(self._is_constant(expression, shadowed) for expression in expressions)
            yield self._text(node) if constant else node

    def _translated_block(self, node: Any, shadowed: frozenset[str], block: Any) -> Iterator[Node]:
        if node.asvar:
            self._refuse_meddling(node)
        expressions = (*node.extra_context.values(), *filter(None, (node.message_context,)))
        names = {token.contents for token in node.singular if token.token_type is TokenType.VAR}
        whole = not (node.asvar or node.plural) and names <= node.extra_context.keys()
        constant = whole and all(self._is_constant(expression, shadowed) for expression in expressions)
        yield self._text(node) if constant else node

    def _firstof(self, node: Any, shadowed: frozenset[str], block: Any) -> Iterator[Node]:
        if node.asvar:
            self._refuse_meddling(node)
        constant = not node.asvar and all(self._is_constant(each, shadowed) for each in node.vars)
        yield self._text(node) if constant else node

    def _if(self, node: Any, shadowed: frozenset[str], block: tuple[BlockNode, ...]) -> Iterator[Node]:
        kept: list[tuple[Any, NodeList]] = []
        for condition, nodes in node.conditions_nodelists:
            known = condition is None or self._is_constant_condition(condition, shadowed)
            if known and not self._holds(condition):
                continue
            if known and not kept:
                yield from self._nodes(nodes, shadowed, block)
                return
            folded = self._merged(self._nodes(nodes, shadowed, block))
            kept.append((None if known else condition, folded))
            if known:
                break
        if kept:
            yield _changed(node, conditions_nodelists=kept)

    def _holds(self, condition: Any) -> bool:
        if condition is None:
            return True
        try:
            return bool(condition.eval(self._conditions))
        except VariableDoesNotExist:
            return False

    def _for(self, node: Any, shadowed: frozenset[str], block: tuple[BlockNode, ...]) -> Iterator[Node]:
        inside = shadowed | {*node.loopvars, "forloop"}
        loop = self._merged(self._nodes(node.nodelist_loop, inside, block))
        empty = self._merged(self._nodes(node.nodelist_empty, shadowed, block))
        if self._is_constant(node.sequence, shadowed):
            items = node.sequence.resolve(self._context, ignore_failures=True)
            if not items and all(isinstance(each, TextNode) for each in empty):
                yield from empty
                return
            if items and (repeated := self._repeated(node, items, shadowed, block)) is not None:
                yield from repeated
                return
        yield _changed(node, nodelist_loop=loop, nodelist_empty=empty)

    def _repeated(self, node: Any, items: Any, shadowed: frozenset[str], block: Any) -> list[Node] | None:
        """Return what a loop over constants comes to; None where something else takes part in it."""
        repeated: list[Node] = []
        try:
            for item in reversed(items) if node.is_reversed else items:
                values = zip(node.loopvars, item if len(node.loopvars) > 1 else (item,), strict=True)
                folding = self._with_names(node.loopvars, dict(values), {})
                inside = (shadowed - {*node.loopvars}) | {"forloop"}
                repeated += folding._nodes(node.nodelist_loop, inside, block)
        except (_Unfoldable, TypeError, ValueError):
            return None
        return repeated if all(map(_is_finished, repeated)) else None

    def _with_names(
        self, names: Collection[str], constants: Mapping[str, Hashable], truths: Mapping[str, Hashable]
    ) -> _Folding:
        """Return a folding in which these names mean something else, of which this is known."""
        folding = copy.copy(self)
        folding._know(
            {
                **{name: self._constants[name] for name in self._constants if _first(name) not in names},
                **constants,
            },
            {**{name: self._truths[name] for name in self._truths if _first(name) not in names}, **truths},
        )
        return folding

    def _with(self, node: Any, shadowed: frozenset[str], block: tuple[BlockNode, ...]) -> Iterator[Node]:
        inside = shadowed | set(node.extra_context)
        yield _changed(node, nodelist=self._merged(self._nodes(node.nodelist, inside, block)))

    def _block(self, node: Any, shadowed: frozenset[str], block: Any) -> Iterator[Node]:
        yield from self._unfold_block(tuple(self._blocks.get(node.name, (node,))), shadowed)

    def _unfold_block(self, blocks: tuple[BlockNode, ...], shadowed: frozenset[str]) -> Iterator[Node]:
        if blocks:
            yield from self._nodes(blocks[0].nodelist, shadowed, blocks[1:])

    def _include(self, node: Any, shadowed: frozenset[str], block: Any) -> Iterator[Node]:
        name = node.template.var
        if not isinstance(name, str) or node.template.filters or node.isolated_context:
            yield node
            return
        included = self._engine.get_template(name)
        is_ours = Path(included.origin.name) == _SHIPPED / name
        is_finished = name in self._finished and is_ours and not node.extra_context
        if is_finished or _is_plain(included.nodelist):
            yield from self._mark(included)
        if is_finished:
            yield VariableNode(_to_expression(str(self._finished[name])))
        elif not _is_plain(included.nodelist):
            yield node
        elif node.extra_context:
            yield from self._renamed(included.nodelist, node.extra_context, shadowed)
        else:
            yield from self._nodes(included.nodelist, shadowed, ())

    def _renamed(
        self, nodes: NodeList, names: Mapping[str, FilterExpression], shadowed: frozenset[str]
    ) -> Iterator[Node]:
        """Fold what is included with other names for what is known here."""
        sources = {name: _plain_name(names[name]) for name in names}
        known = {
            name: source for name, source in sources.items() if source and _first(source) not in shadowed
        }
        folding = self._with_names(
            names, *(_renamed(each, known) for each in (self._constants, self._truths))
        )
        folded = self._merged(folding._nodes(nodes, shadowed - {*names}, ()))
        if all(map(_is_finished, folded)):
            yield from folded
        else:
            yield WithNode(None, None, folded, extra_context=dict(names))

    def _is_constant(self, expression: FilterExpression, shadowed: frozenset[str]) -> bool:
        variables = [expression.var] if isinstance(expression.var, Variable) else []
        for function, arguments in expression.filters:
            if function.__module__ != "django.template.defaultfilters" or function.__name__ in _IMPURE:
                return False
            variables += [argument for is_variable, argument in arguments if is_variable]
        return all(self._is_known(variable, shadowed) for variable in variables)

    def _is_known(self, variable: Variable, shadowed: frozenset[str]) -> bool:
        if variable.lookups is None:
            return True
        if variable.lookups[0] in shadowed:
            return False
        names = (".".join(variable.lookups[:length]) for length in range(1, len(variable.lookups) + 1))
        return any(name in self._constants for name in names)

    def _is_constant_condition(
        self, condition: Any, shadowed: frozenset[str], *, as_truth: bool = True
    ) -> bool:
        expression = getattr(condition, "value", None)
        if isinstance(expression, FilterExpression):
            return self._is_constant(expression, shadowed) or (
                as_truth and self._is_truth(expression, shadowed)
            )
        parts = [part for part in (condition.first, condition.second) if part is not None]
        as_truth = as_truth and condition.id in {"and", "or", "not"}
        return bool(parts) and all(
            self._is_constant_condition(part, shadowed, as_truth=as_truth) for part in parts
        )

    def _is_truth(self, expression: FilterExpression, shadowed: frozenset[str]) -> bool:
        variable = expression.var
        if expression.filters or not isinstance(variable, Variable) or not variable.lookups:
            return False
        return variable.lookups[0] not in shadowed and ".".join(variable.lookups) in self._truths

    def _text(self, node: Node) -> TextNode:
        return TextNode(str(node.render(self._context)))

    def _merged(self, nodes: Iterator[Node]) -> NodeList:
        merged = NodeList()
        for node in nodes:
            if type(node) is TextNode and merged and type(merged[-1]) is TextNode:
                merged[-1] = TextNode(merged[-1].s + node.s)
            else:
                merged.append(node)
        return merged


_HANDLERS: Final[Mapping[type[Node], Any]] = {
    TextNode: lambda folding, node, shadowed, block: iter((node,)),
    _Mark: lambda folding, node, shadowed, block: iter((node,)),
    VariableNode: _Folding._variable,
    TranslateNode: _Folding._translation,
    BlockTranslateNode: _Folding._translated_block,
    FirstOfNode: _Folding._firstof,
    IfNode: _Folding._if,
    ForNode: _Folding._for,
    WithNode: _Folding._with,
    BlockNode: _Folding._block,
    IncludeNode: _Folding._include,
}


def _is_plain(nodes: NodeList) -> bool:
    """Return whether included nodes mean the same where the include stands: they keep no state and hold no blocks."""
    known = {*_HANDLERS, *_STATELESS, LoadNode, CommentNode} - {BlockNode}
    return all(
        type(node) in known and not getattr(node, "asvar", None) for node in nodes.get_nodes_by_type(Node)
    )


class _Inner(dict[str, Any]):
    """What has inner names; whether it is true may be known besides, and is true by having them otherwise."""

    is_true = True

    def __bool__(self) -> bool:
        return self.is_true


def _nested(values: Mapping[str, Hashable]) -> dict[str, Any]:
    """Return a context in which the dotted names lead to their values."""
    context: dict[str, Any] = {}
    for name in sorted(values):
        *path, last = name.split(".")
        place = context
        for part in path:
            if not isinstance(place.get(part), _Inner):
                inner = _Inner()
                inner.is_true = bool(place.get(part, True))
                place[part] = inner
            place = place[part]
        place[last] = values[name]
    return context


def _first(name: str) -> str:
    return name.partition(".")[0]


def _plain_name(expression: FilterExpression) -> str:
    """Return the dotted name that an expression is; empty for one that is more, or text."""
    variable = expression.var
    is_plain = not expression.filters and isinstance(variable, Variable) and variable.lookups
    return expression.token if is_plain else ""


def _renamed(known: Mapping[str, Hashable], names: Mapping[str, str]) -> dict[str, Hashable]:
    """Return what is known of the sources of these names under the names."""
    return {
        name + path.removeprefix(source): known[path]
        for name, source in names.items()
        for path in known
        if path == source or path.startswith(f"{source}.")
    }


def _is_finished(node: Node) -> bool:
    return type(node) in {TextNode, _Mark}


def _changed(node: Node, **attributes: object) -> Node:
    changed = copy.copy(node)
    vars(changed).update(attributes)
    return changed


def _texts(values: Collection[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, tuple, set, dict)):
            yield from (each for each in value if isinstance(each, str))


class _Name:
    """Resolves like a filter expression that is nothing but a name."""

    def __init__(self, name: str) -> None:
        self.token = name
        self._variable = Variable(name)

    def resolve(self, context: Context) -> Any:
        return self._variable.resolve(context)


def _to_expression(name: str) -> Any:
    return _Name(name)
