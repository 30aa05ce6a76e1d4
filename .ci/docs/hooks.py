"""What the documentation site does to a page before it is rendered (hooks of MkDocs).

A line ``<!-- generated: models -->`` becomes what ``reference.py`` writes of the code. A link that leads out of docs becomes
one to the repository, whose address ``setup.cfg`` holds. A page without a French version says so on the French site.
"""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).parent))

import reference

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
_LINK: Final = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)(#[^)]*)?(\))")
_NOT_TRANSLATED: Final = (
    '\n\n!!! note "Cette page n\'existe pas encore en français"\n    En voici la version anglaise.\n\n'
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    config.repo_url = parser["metadata"]["url"]
    config.repo_name = parser["metadata"]["name"]
    config.edit_uri = None
    return config


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    is_translated = page.file.src_uri.endswith(".fr.md")
    text = reference.fill_in(markdown, "fr" if is_translated else "en")
    folder = PurePosixPath("docs", page.file.src_uri).parent
    text = _LINK.sub(lambda link: _to_repository(link, folder, str(config.repo_url)), text)
    # A plugin's type is known to nobody before it is loaded.
    i18n: Any = config.plugins["i18n"]
    if i18n.current_language != "fr" or is_translated:
        return text
    # Below the heading, which gives the page its name in the navigation.
    heading, _newline, rest = text.partition("\n")
    return heading + _NOT_TRANSLATED + rest


def _to_repository(link: re.Match[str], folder: PurePosixPath, repository: str) -> str:
    path = (ROOT / folder / link[2]).resolve()
    if path.is_relative_to(ROOT / "docs"):
        return link[0]
    if not path.exists():
        raise FileNotFoundError(f"{folder}: {link[2]} leads nowhere")
    return f"{link[1]}{repository}/blob/main/{path.relative_to(ROOT)}{link[3] or ''}{link[4]}"
