"""Find, copy and compare the templates of the pages."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

import snipcart_checkout
from snipcart_checkout.checks.template_versions import TemplateCopy, find_copies, read_version
from snipcart_checkout.conf.translation import gettext as _

_SHIPPED: Final = Path(snipcart_checkout.__file__).parent / "templates"
_FOLDER: Final = "snipcart_checkout"


class Command(BaseCommand):
    """``list`` shows where the originals are, ``copy NAME`` makes a copy, ``diff`` what changed since copies were made."""

    help = "List the templates of the pages, copy one into the project, or compare the project's copies."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="list | copy | diff")
        commands.add_parser(
            "list", help="names, versions and places, and which of them the project has its own of"
        )
        copy = commands.add_parser("copy", help="copy one template into the first directory of TEMPLATES")
        copy.add_argument("name", help="such as parts/methods.html")
        copy.add_argument("--to", help="another directory of templates")
        commands.add_parser("diff", help="show how the project's own templates differ from ours")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self.list_templates()
        elif options["action"] == "copy":
            self.copy_template(options["name"], options["to"])
        else:
            self.compare_copies()

    def list_templates(self) -> None:
        self.stdout.write(_("The originals are in {folder}").format(folder=_SHIPPED / _FOLDER))
        for name in _names():
            original = _SHIPPED / _FOLDER / name
            self.stdout.write(f"  {name}  ({read_version(original.read_text('utf-8'))})")
            for copy in find_copies(f"{_FOLDER}/{name}"):
                self.stdout.write("    " + _("your own: {path}").format(path=copy.path))

    def copy_template(self, name: str, folder: str | None) -> None:
        name = name.removeprefix(f"{_FOLDER}/")
        if name not in _names():
            close = difflib.get_close_matches(name, _names(), n=1)
            hint = _(" Did you mean {name}?").format(name=close[0]) if close else ""
            raise CommandError(_("There is no template {name}.").format(name=name) + hint)
        target = Path(folder or _first_folder()) / _FOLDER / name
        if target.exists():
            raise CommandError(_("{path} exists already; nothing was changed.").format(path=target))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((_SHIPPED / _FOLDER / name).read_text("utf-8"), "utf-8")
        self.stdout.write(_("Copied to {path}").format(path=target))

    def compare_copies(self) -> None:
        compared = 0
        for name in _names():
            ours = (_SHIPPED / _FOLDER / name).read_text("utf-8")
            for copy in find_copies(f"{_FOLDER}/{name}"):
                compared += 1
                self.compare(copy, name, ours)
        if not compared:
            self.stdout.write(_("The project has no templates of its own for these pages."))

    def compare(self, copy: TemplateCopy, name: str, ours: str) -> None:
        if copy.version is None:
            self.stdout.write(
                _("{path}: extends ours or was written from scratch; there is nothing to compare").format(
                    path=copy.path
                )
            )
            return
        self.stdout.write(
            _("{path}: made from version {version}, ours is {current}").format(
                path=copy.path, version=copy.version, current=read_version(ours)
            )
        )
        lines = difflib.unified_diff(
            copy.source.splitlines(), ours.splitlines(), copy.path, f"ours/{name}", lineterm=""
        )
        for line in lines:
            self.stdout.write(line)


def _names() -> list[str]:
    folder = _SHIPPED / _FOLDER
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))


def _first_folder() -> str:
    engines: list[dict[str, Any]] = django_settings.TEMPLATES
    for engine in engines:
        for folder in engine.get("DIRS") or ():
            return str(folder)
    raise CommandError(_('TEMPLATES has no DIRS: add a directory there, or say where with "--to".'))
