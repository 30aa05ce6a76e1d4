"""Fails where a translation is missing, fuzzy, left over or not compiled; changes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polib

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "snipcart_checkout"


def collected(scratch: Path) -> Path:
    """A copy of the package whose .po files hold exactly the strings that stand in its source."""
    copy = scratch / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    command = [sys.executable, "-m", "django", "makemessages", "--all", "--no-obsolete", "--verbosity", "0"]
    subprocess.run(command, cwd=copy, check=True)
    return copy


def problems(committed: Path, fresh: Path) -> Iterator[str]:
    here = polib.pofile(str(committed))
    known = {(entry.msgctxt, entry.msgid): entry for entry in here if not entry.obsolete}
    wanted = {(entry.msgctxt, entry.msgid) for entry in polib.pofile(str(fresh))}
    for key in sorted(wanted - known.keys(), key=str):
        yield f"not in the file: {key[1]!r}"
    for key in sorted(known.keys() - wanted, key=str):
        yield f"not in the source any more: {key[1]!r}"
    for key in sorted(wanted & known.keys(), key=str):
        if known[key].fuzzy or not known[key].translated():
            yield f"{'fuzzy' if known[key].fuzzy else 'not translated'}: {key[1]!r}"
    if not is_compiled(here, committed.with_suffix(".mo")):
        yield "not compiled: run compilemessages"


def is_compiled(po: polib.POFile, mo: Path) -> bool:
    def texts(entries: polib.POFile | polib.MOFile) -> set[tuple[object, ...]]:
        return {
            (e.msgctxt, e.msgid, e.msgstr, *sorted(e.msgstr_plural.items()))
            for e in entries
            if e.msgstr or any(e.msgstr_plural.values())
        }

    return mo.exists() and texts(po) == texts(polib.mofile(str(mo)))


def main() -> int:
    if shutil.which("xgettext") is None:
        print("translations: GNU gettext is needed (apt install gettext)")
        return 1
    files = sorted(PACKAGE.rglob("locale/*/LC_MESSAGES/*.po"))
    if not files:
        print("translations: there are none")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        copy = collected(Path(scratch))
        found = [
            f"{path.relative_to(ROOT)}: {problem}"
            for path in files
            for problem in problems(path, copy / path.relative_to(PACKAGE))
        ]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
