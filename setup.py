"""Gives the package's description absolute links; everything else stands in setup.cfg.

A package index shows README.md without the repository around it, so a link such as ``docs/index.md`` would lead nowhere there.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def to_absolute(text: str, repository: str) -> str:
    """Return Markdown whose links into the repository are absolute; pictures lead to the files themselves."""
    links = r"(!?)(\[[^\[\]]*\]|\[!\[[^\]]*\]\([^)]*\)\])\((?!https?:|mailto:|#)([^)\s]+)\)"
    pictures = re.sub(
        r"(!\[[^\]]*\])\((?!https?:)([^)\s]+)\)",
        lambda picture: f"{picture[1]}({repository}/raw/main/{picture[2]})",
        text,
    )
    return re.sub(links, lambda link: f"{link[1]}{link[2]}({repository}/blob/main/{link[3]})", pictures)


metadata = ConfigParser(interpolation=None)
metadata.read(ROOT / "setup.cfg", encoding="utf-8")
setup(
    long_description=to_absolute(
        (ROOT / "README.md").read_text(encoding="utf-8"), metadata["metadata"]["url"]
    ),
)
