"""The package's imports point one way, and what a module calls public is what it exports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import snipcart_checkout

PACKAGE = snipcart_checkout.__name__
ROOT = Path(snipcart_checkout.__file__).parent

FOUNDATION = {
    "addresses",
    "conf",
    "declines",
    "exceptions",
    "formats",
    "languages",
    "links",
    "logs",
    "money",
    "origins",
    "protocol",
    "signals",
}
LEAVES = {"backends", "client", "models"}
SERVICES = {"services"}
# What the doors have in common: headers and error pages, and what a template is given.
FRONT = {"endpoints", "pages", "presentation", "scripts"}
DOORS = {"views", "webhooks"}
# What each part may import besides itself. A new part has to be given its place here.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    **dict.fromkeys(FOUNDATION, FOUNDATION),
    **dict.fromkeys(LEAVES, FOUNDATION),
    # How bytes get out and back in within limits, under the clients that know what they mean.
    "transport": FOUNDATION,
    **dict.fromkeys(("client", "backends"), FOUNDATION | {"transport"}),
    "services": FOUNDATION | LEAVES,
    # Only services ask and tell Snipcart; a door may look at what they return.
    **dict.fromkeys(FRONT, FOUNDATION | FRONT | {"backends", "models"}),
    **dict.fromkeys(DOORS, FOUNDATION | FRONT | SERVICES | {"backends", "models"}),
    "urls": DOORS,
    # Shows what shoppers see, with orders of its own making.
    "gallery": FOUNDATION | FRONT | {"models", "views"},
    "sandbox": set(),
    "testing": {"backends", "links", "money", "sandbox"},
    # Called by Django, not by us: they stand outside the order, and nothing of the above imports them.
    **dict.fromkeys(("admin", "management"), FOUNDATION | LEAVES | SERVICES),
    "checks": FOUNDATION | LEAVES | SERVICES | {"template_versions"},
    "template_versions": set(),
    "apps": {"checks", "transport", "warming", *FOUNDATION, *SERVICES},
    "warming": {"transport", "urls", *FOUNDATION},
    "migrations": FOUNDATION | {"models"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def part_of(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, wherever in the file the import stands."""
    here = (PACKAGE, *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            found |= {f"{source}.{alias.name}" for alias in node.names}
    ours = {name.removeprefix(f"{PACKAGE}.") for name in found if name.startswith(f"{PACKAGE}.")}
    return {as_module(name) for name in ours}


def as_module(dotted: str) -> str:
    """The module a dotted name leads to: itself, or the one that defines the name."""
    while dotted and dotted not in MODULES:
        dotted = dotted.rpartition(".")[0]
    return dotted or "__init__"


def public_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom) and path.name == "__init__.py" and node.module != "__future__":
            names |= {alias.asname or alias.name for alias in node.names}
    # A logger is nobody's business, and a queryset is reached through its model.
    return {name for name in names if not name.startswith("_") and not name.endswith(("logger", "QuerySet"))}


def exported_names(path: Path) -> list[str] | None:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def test_the_reader_of_imports_finds_them() -> None:
    assert "exceptions" in imports(MODULES["client"])
    assert {part_of(module) for module in imports(MODULES["urls"])} == {"views", "webhooks"}


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part_of(module) for module in MODULES} <= MAY_IMPORT.keys()


@pytest.mark.parametrize("module", MODULES)
def test_no_import_points_backwards(module: str) -> None:
    part = part_of(module)
    wrong = {name for name in imports(MODULES[module]) if part_of(name) not in MAY_IMPORT[part] | {part}}
    # The version is plain text and the package itself imports nothing, so anybody may read it.
    assert wrong <= {"__init__"}


def test_no_parts_import_each_other_in_a_circle() -> None:
    needs: dict[str, set[str]] = {part_of(module): set() for module in MODULES}
    for module, path in MODULES.items():
        needs[part_of(module)] |= {part_of(name) for name in imports(path)} - {part_of(module)}
    while needs:
        free = {part for part, below in needs.items() if not below & needs.keys()}
        assert free, f"these import each other in a circle: {sorted(needs)}"
        needs = {part: below for part, below in needs.items() if part not in free}


@pytest.mark.parametrize(
    "module", sorted(FOUNDATION | {"__init__", "client", "models", "services", "backends.base"})
)
def test_a_public_module_exports_exactly_its_public_names(module: str) -> None:
    exported = exported_names(MODULES[module])
    assert exported is not None, f"{module} has no __all__"
    expected = {"__version__"} if module == "__init__" else public_names(MODULES[module])
    assert sorted(exported) == sorted(expected)


def test_the_package_can_be_imported_by_a_settings_module() -> None:
    assert not [
        node
        for node in ast.walk(ast.parse(MODULES["__init__"].read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
