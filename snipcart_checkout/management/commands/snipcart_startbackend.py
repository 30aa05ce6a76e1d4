"""``manage.py snipcart_startbackend acme``: a payment backend to begin with, its stand-in, and its tests."""

from __future__ import annotations

import keyword
import os
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from snipcart_checkout.conf.translation import gettext as _

_TEMPLATES: Final = Path(__file__).resolve().parent.parent / "templates" / "startbackend"
_FILES: Final = {
    "backend.txt": "{name}.py",
    "stand_in.txt": "{name}_stand_in.py",
    "tests.txt": "test_{name}.py",
}
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class Command(BaseCommand):
    help = (
        "Write a payment backend for a provider, a stand-in for the provider, and tests that pass the contract of "
        "backends. From there on replace the stand-in's API by the provider's, step by step."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the provider's name as a Python module: acme, acme_pay")
        parser.add_argument(
            "--directory", default=".", help="an existing directory to write to (default: this one)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, directory = options["name"], Path(options["directory"])
        if not _NAME.fullmatch(name) or keyword.iskeyword(name):
            raise CommandError(_("Use small letters, digits and underscores, such as acme or acme_pay."))
        if not directory.is_dir():
            raise CommandError(_("There is no directory {path}.").format(path=directory))
        files = {directory / target.format(name=name): source for source, target in _FILES.items()}
        if present := [str(path) for path in files if path.exists()]:
            raise CommandError(_("Nothing was written: {paths} exist.").format(paths=", ".join(present)))
        for path, source in files.items():
            path.write_text(
                _fill_in((_TEMPLATES / source).read_text(encoding="utf-8"), name), encoding="utf-8"
            )
            self.stdout.write(_("Written: {path}").format(path=path))
        settings = os.environ.get("DJANGO_SETTINGS_MODULE", "settings")
        command = f"pytest --ds={settings} {directory / f'test_{name}.py'}"
        self.stdout.write(_("Run: {command}").format(command=command))


def _fill_in(template: str, name: str) -> str:
    """Put a name in place of the templates' provider, in each of the ways in which it is written there."""
    words = name.split("_")
    class_name = "".join(word.capitalize() for word in words)
    spoken = " ".join(word.capitalize() for word in words)
    header = "-".join(words)
    filled = re.sub(r"\bAcme(?=[A-Z])", class_name, template)
    filled = re.sub(r"\bTestAcme(?=[A-Z])", f"Test{class_name}", filled)
    filled = re.sub(r"\b(Acme|acme)(?=-Signature|-signature|\.example|\.sandbox)", header, filled)
    filled = re.sub(r"\bapi\.sandbox\.acme\b", f"api.sandbox.{header}", filled)
    return re.sub(r"acme", name, re.sub(r"\bAcme\b", spoken, filled))
