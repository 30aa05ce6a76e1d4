"""The versions of a site's own copies of our templates.

Each template of ours opens with a comment that carries its version. A copy keeps it, so a copy that is older than
ours is found; a template that extends ours, or was written from scratch, has none and is left alone.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.template import Origin, TemplateDoesNotExist, engines
from django.template.backends.django import DjangoTemplates

_SHIPPED: Final = Path(__file__).parent.parent / "templates"
_MARKER: Final = re.compile(r"\{# snipcart_checkout template version: (\d+) #\}")


@dataclass(frozen=True, kw_only=True)
class OutdatedOverride:
    """A site's copy of one of our templates, made from an older version of it."""

    template: str
    path: str
    version: int
    current: int


@dataclass(frozen=True, kw_only=True)
class TemplateCopy:
    """A site's own template of one of our names; ``version`` is None where it was written from scratch or extends ours."""

    path: str
    version: int | None
    source: str


def find_copies(template: str) -> list[TemplateCopy]:
    """Return the site's own templates that its engines would use instead of ours."""
    copies = []
    for engine in engines.all():
        if isinstance(engine, DjangoTemplates):
            origin, source = _first_source(engine, template)
            if origin is not None and Path(str(origin.name)) != _SHIPPED / template:
                copies.append(
                    TemplateCopy(path=str(origin.name), version=read_version(source), source=source)
                )
    return copies


def outdated_overrides() -> list[OutdatedOverride]:
    """Return every copy that the site's template engines would use and that is older than ours."""
    return [
        override
        for path in sorted(_SHIPPED.rglob("*.html"))
        for override in _outdated(
            path.relative_to(_SHIPPED).as_posix(), read_version(path.read_text("utf-8")) or 0
        )
    ]


def _outdated(template: str, current: int) -> Iterator[OutdatedOverride]:
    for engine in engines.all():
        if not isinstance(engine, DjangoTemplates):
            continue
        origin, source = _first_source(engine, template)
        version = read_version(source)
        if origin is not None and version is not None and version < current:
            yield OutdatedOverride(template=template, path=str(origin.name), version=version, current=current)


def _first_source(engine: DjangoTemplates, template: str) -> tuple[Origin | None, str]:
    """Return the template that the engine would use, uncompiled, so that one with a mistake can be read too."""
    for loader in engine.engine.template_loaders:
        for origin in loader.get_template_sources(template):
            with contextlib.suppress(TemplateDoesNotExist):
                return origin, loader.get_contents(origin)  # type: ignore[attr-defined]
    return None, ""


def read_version(source: str) -> int | None:
    """Return the version of ours that a template's first line names; None without one."""
    match = _MARKER.search(source)
    return int(match[1]) if match else None
