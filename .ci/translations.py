"""Keeps the .po and .mo files true to the source.

Without arguments it changes nothing, and fails where a translation is missing, fuzzy, left over, wrongly formed or not
compiled. ``translations.py collect`` (``make messages``) writes the strings of the source into the files.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import polib

ROOT = Path(__file__).parent.parent
PACKAGES = (ROOT / "snipcart_checkout", ROOT / "example_project")

# These hold every string. The other languages hold what a shopper reads, and nothing of what only a merchant does.
MERCHANTS_LANGUAGES = {"fr"}
# What is not listed here is the shopper's, so that a new file is translated until somebody decides otherwise.
MERCHANTS_FILES = (
    "admin/*",
    "apps.py",
    "backends/*/checks.py",
    "backends/*/credentials.py",
    "backends/*/refunds.py",
    "backends/options.py",
    "checks/*",
    "conf/origins.py",
    "contrib/*",
    "management/*",
    "models/*",
    "sandbox/*",
    "services/probes.py",
    "services/diagnosis.py",
    "services/*refund*.py",
    "templates/admin/*",
    "templates/snipcart_gallery/*",
    "testing/*",
    "views/webhook_refusals.py",
)
# Functions whose strings a merchant or a developer reads: what the doctor finds at a provider, why a refund was not made.
MERCHANTS_DEFINITIONS = {"_refund_message", "ping"}
# Wherever these are made, a merchant reads them.
MERCHANTS_CALLS = {
    "ImproperlyConfigured",
    "RefundDeclined",
    *(f"checks.{level}" for level in ("Debug", "Info", "Warning", "Error", "Critical")),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}|</?\w+>")
PLURAL_FORMS = re.compile(r"nplurals=(\d+); plural=[^;]+;")


def collected(package: Path, scratch: Path) -> Path:
    """A copy of the package whose .po files hold exactly the strings that stand in its source, with their places."""
    copy = scratch / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "*.mo", "*.sqlite3*"))
    for module in copy.rglob("translation.py"):
        spell_context_out(copy, module)
    command = [sys.executable, "-m", "django", "makemessages", "--all", "--no-obsolete", "--verbosity", "0"]
    # No project's settings are needed, and those of the caller cannot be found from there.
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=copy, env=environment, check=True)
    for path in po_files(copy):
        po = polib.pofile(str(path), wrapwidth=0)
        if path.parts[-3] not in MERCHANTS_LANGUAGES:
            drop_what_merchants_read(po, copy)
        for entry in po:
            entry.occurrences = []
        po.save()
    return copy


def spell_context_out(package: Path, module: Path) -> None:
    """Write the context that a module of translation functions adds into each call of them: xgettext cannot know it."""
    (context,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CONTEXT" and node.value
    )
    dotted = ".".join(module.relative_to(package.parent).with_suffix("").parts)
    for path in package.rglob("*.py"):
        source = path.read_text()
        if f"from {dotted} import" in source:
            path.write_text(with_context(source, dotted, context))


def with_context(source: str, module: str, context: str) -> str:
    tree = ast.parse(source)
    functions = {
        alias.asname or alias.name: "npgettext" if alias.name.startswith("n") else "pgettext"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }
    lines = source.splitlines(keepends=True)
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions
    ]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset), reverse=True):
        name, first = call.func, call.args[0]
        assert isinstance(name, ast.Name)
        for line, start, end, text in (
            (first.lineno, first.col_offset, first.col_offset, f'"{context}", '),
            (name.lineno, name.col_offset, name.col_offset + len(name.id), functions[name.id]),
        ):
            # ast counts in bytes.
            raw = lines[line - 1].encode()
            lines[line - 1] = (raw[:start] + text.encode() + raw[end:]).decode()
    return "".join(lines)


def po_files(package: Path) -> list[Path]:
    return sorted(package.glob("locale/*/LC_MESSAGES/*.po"))


def drop_what_merchants_read(po: polib.POFile, package: Path) -> None:
    lines: dict[str, set[int]] = {}

    def is_for_merchants(file: str, line: str) -> bool:
        if any(fnmatch(file, pattern) for pattern in MERCHANTS_FILES):
            return True
        if file not in lines:
            lines[file] = said_to_merchants(package / file) if file.endswith(".py") else set()
        return int(line) in lines[file]

    for entry in [entry for entry in po if all(is_for_merchants(*place) for place in entry.occurrences)]:
        po.remove(entry)


def said_to_merchants(source: Path) -> set[int]:
    """The lines of a file that stand inside of one of the merchant's calls or definitions."""
    return {
        line
        for node in ast.walk(ast.parse(source.read_text()))
        if (isinstance(node, ast.Call) and ast.unparse(node.func) in MERCHANTS_CALLS)
        or (isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in MERCHANTS_DEFINITIONS)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def problems(committed: Path, fresh: Path) -> Iterator[str]:
    here = polib.pofile(str(committed))
    known = {key(entry): entry for entry in here if not entry.obsolete}
    wanted = {key(entry) for entry in polib.pofile(str(fresh))}
    for text in sorted(wanted - known.keys(), key=str):
        yield f"not in the file: {text[1]!r}"
    for text in sorted(known.keys() - wanted, key=str):
        yield f"not in the source any more: {text[1]!r}"
    forms = PLURAL_FORMS.fullmatch(here.metadata.get("Plural-Forms", ""))
    if forms is None or here.metadata_is_fuzzy:
        yield "the header is fuzzy or does not name the plural forms"
    for text in sorted(wanted & known.keys(), key=str):
        for problem in problems_of(known[text], int(forms[1]) if forms else 0):
            yield f"{problem}: {text[1]!r}"
    if not is_compiled(here, committed.with_suffix(".mo")):
        yield "not compiled: run make messages"


def key(entry: polib.POEntry) -> tuple[str | None, str]:
    return entry.msgctxt, entry.msgid


def problems_of(entry: polib.POEntry, forms: int) -> Iterator[str]:
    if entry.fuzzy:
        yield "fuzzy"
    elif not entry.translated():
        yield "not translated"
    elif entry.msgid_plural:
        if sorted(entry.msgstr_plural) != list(range(forms)):
            yield f"not {forms} plural forms"
        # A form for one number may say it in words.
        most = placeholders(entry.msgid_plural)
        if placeholders(entry.msgstr_plural[max(entry.msgstr_plural)]) != most or any(
            set(placeholders(text)) - set(most) for text in entry.msgstr_plural.values()
        ):
            yield "other placeholders"
    elif placeholders(entry.msgstr) != placeholders(entry.msgid):
        yield "other placeholders"


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def is_compiled(po: polib.POFile, mo: Path) -> bool:
    def texts(entries: Iterable[polib.POEntry] | Iterable[polib.MOEntry]) -> set[tuple[object, ...]]:
        return {
            (e.msgctxt, e.msgid, e.msgstr, *sorted(e.msgstr_plural.items()))
            for e in entries
            if e.msgstr or any(e.msgstr_plural.values())
        }

    return mo.exists() and texts(e for e in po if not e.fuzzy) == texts(polib.mofile(str(mo)))


def check(package: Path, scratch: Path) -> Iterator[str]:
    copy = collected(package, scratch)
    for path in po_files(package):
        for problem in problems(path, copy / path.relative_to(package)):
            yield f"{path.relative_to(ROOT)}: {problem}"


def collect(package: Path, scratch: Path) -> None:
    copy = collected(package, scratch)
    for path in po_files(package):
        fresh = polib.pofile(str(copy / path.relative_to(package)), wrapwidth=0)
        # The day on which this was run is no change, and two branches would quarrel over it.
        fresh.metadata.pop("POT-Creation-Date", None)
        fresh.save(str(path))
        fresh.save_as_mofile(str(path.with_suffix(".mo")))


def main(arguments: list[str]) -> int:
    if shutil.which("xgettext") is None:
        print("translations: GNU gettext is needed (apt install gettext)")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        if arguments == ["collect"]:
            for package in PACKAGES:
                collect(package, Path(scratch))
            return 0
        found = [problem for package in PACKAGES for problem in check(package, Path(scratch))]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
