"""The package's imports point one way, and what a module calls public is what it exports."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

import snipcart_checkout

PACKAGE = snipcart_checkout.__name__
ROOT = Path(snipcart_checkout.__file__).parent
CONTRIBUTING = (ROOT.parent / "CONTRIBUTING.md").read_text()

BASE = {"conf.translation", "exceptions", "signals", "snipcart.money", "snipcart.references"}
# Snipcart's messages, read and written; nothing is sent here.
WIRE = {"snipcart", *(f"snipcart.{name}" for name in ("messages", "public_tokens", "reading", "session"))}
CONF = {"conf"} | {
    f"conf.{name}" for name in ("brand", "links", "method_names", "methods", "origins", "settings", "values")
}
# How anything is written for a reader.
WRITING = {f"presentation.{name}" for name in ("addresses", "declines", "formats", "languages")}
# What templates get of orders, payments, methods and problems.
SCREEN = {
    f"presentation.{name}"
    for name in (
        "brands",
        "choices",
        "colours",
        "item_rows",
        "orders",
        "payments",
        "problems",
        "redirects",
        "transfers",
    )
}
FOUNDATION = BASE | WIRE | CONF | WRITING
# What each part may import besides itself. A part is the longest name of this table that a module's name begins with; a
# new part has to be given its place here, and in the drawing in CONTRIBUTING.md.
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "presentation": set(),
    **{part: set() for part in BASE},
    **dict.fromkeys(WIRE, BASE | WIRE),
    **dict.fromkeys(CONF, BASE | CONF),
    **dict.fromkeys(WRITING, BASE | WIRE | WRITING),
    # How bytes get out and back in within limits, under the clients that know what they mean.
    "snipcart.transport": BASE | CONF,
    "snipcart.client": BASE | WIRE | CONF | {"snipcart.transport"},
    "models": BASE,
    "backends": FOUNDATION,
    # Only services call Snipcart.
    "services": FOUNDATION | {"backends", "models", "snipcart.client", "snipcart.transport"},
    **dict.fromkeys(SCREEN, FOUNDATION | SCREEN | {"backends", "models"}),
    "views": FOUNDATION | SCREEN | {"backends", "models", "services"},
    "urls": CONF | {"views"},
    # Called by Django, not by us: nothing of the above imports them.
    "admin": FOUNDATION | {"models", "services"},
    "management": {"checks", "conf.translation", "exceptions", "services"},
    "checks": FOUNDATION | {"backends", "models", "services", "urls", "views"},
    "apps": BASE | CONF | {"checks", "snipcart.transport", "views"},
    "migrations": {"models", "snipcart.money", "snipcart.references"},
    # A second app, which knows us only over HTTP, and what adopters' tests need.
    "sandbox": set(),
    "testing": FOUNDATION | {"backends", "sandbox"},
    # Extras that a site switches on; nothing imports them.
    "contrib": FOUNDATION | SCREEN | {"backends", "models", "services", "snipcart.transport", "views"},
}
# Single modules that may import more than their part.
MAY_ALSO_IMPORT = {
    # What backends call their providers with.
    "backends.http": {"snipcart.transport"},
    # Says before the first call that none can be made.
    "checks.project": {"snipcart.transport"},
    # A request's outside calls share one budget of time, which begins with the request.
    "views.endpoints": {"snipcart.transport"},
    "admin.pages": {"snipcart.transport"},
    # Loads ahead what the first request would load.
    "views.warming": {"snipcart.transport", "urls"},
}
# The floors of the services, from the ground up: a module imports only what is below it.
SERVICE_FLOORS = (
    ("logger",),
    ("announcements", "attempts", "transactions"),
    (
        "audit_log",
        "backend_calls",
        "methods",
        "open_cases",
        "order_comparison",
        "own_addresses",
        "pruning",
        "refund_links",
        "sessions",
    ),
    ("alerts", "confirmations", "decisions", "delivery_schedule", "probes", "repeated_refunds"),
    ("delivery", "diagnosis", "refunds"),
    ("due_deliveries", "outcomes", "refund_requests"),
    ("giving_up", "payments", "settlement", "staff"),
    ("lookups",),
)
MOST_ENTRIES = 16
# What Django and the packaging tools look for by these names.
NOT_COUNTED = {"__init__.py", "locale", "management", "migrations", "py.typed", "static", "templates"}
# Names that several modules have because they are the same thing on another floor, or Django's own word for it.
COUNTERPARTS = {
    # the ledger's tables: the row, the use case, what the admin and the pages show
    "confirmations",
    "payments",
    "refunds",
    # the thing itself, and the checks of it, or what tests of it need
    "backends",
    "brand",
    "methods",
    "orders",
    "webhooks",
    # the payment session, as we read it and as tests order it
    "sessions",
    # the core of the sandbox, and what the sandbox puts around it
    "api",
    "memory",
    # the shopper's pages and the admin's
    "pages",
    # Django's
    "apps",
    "urls",
    "views",
}
PROVIDERS = {"btcpay", "lyra", "mollie", "paypal", "stripe"}
# Modules that people outside of this project import from; every other is free to change.
PUBLIC = {
    "backends",
    "backends.base",
    "backends.dummy",
    "backends.http",
    "backends.manual",
    "backends.results",
    *(f"backends.{provider}" for provider in PROVIDERS),
    "conf",
    "contrib.health",
    "contrib.ledger_numbers",
    "contrib.metrics",
    "contrib.scrub",
    "contrib.scrub.log_filter",
    "contrib.scrub.opentelemetry",
    "contrib.scrub.sentry",
    "exceptions",
    "models",
    "services",
    "signals",
    "snipcart",
    "views",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def part_of(module: str) -> str:
    """Return the part of MAY_IMPORT that a module belongs to, or its first name when it has no place there."""
    names = module.split(".")
    prefixes = (".".join(names[:length]) for length in range(len(names), 0, -1))
    return next((prefix for prefix in prefixes if prefix in MAY_IMPORT), names[0])


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


@functools.cache
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
            face = exported_names(MODULES.get(source.removeprefix(f"{PACKAGE}."), ROOT / "py.typed")) or []
            found |= {source if alias.name in face else f"{source}.{alias.name}" for alias in node.names}
    ours = {name.removeprefix(f"{PACKAGE}.") for name in found if name.startswith(f"{PACKAGE}.")}
    return {as_module(name) for name in ours}


def as_module(dotted: str) -> str:
    """The module a dotted name leads to: itself, or the one that defines the name."""
    while dotted and dotted not in MODULES:
        dotted = dotted.rpartition(".")[0]
    return dotted or "__init__"


def public_names(path: Path) -> tuple[set[str], set[str]]:
    """Return the public names that a module defines, and those that it imports."""
    defined: set[str] = set()
    imported: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name for alias in node.names}
    # A logger is nobody's business, and a queryset is reached through its model.
    public = {
        name for name in defined if not name.startswith("_") and not name.endswith(("logger", "QuerySet"))
    }
    return public, imported


@functools.cache
def exported_names(path: Path) -> list[str] | None:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def test_the_reader_of_imports_finds_them() -> None:
    assert {"exceptions", "snipcart.transport"} <= {
        part_of(name) for name in imports(MODULES["snipcart.client"])
    }
    assert "views" in {part_of(name) for name in imports(MODULES["urls"])}


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part_of(module) for module in MODULES} <= MAY_IMPORT.keys()


def test_no_import_points_backwards() -> None:
    wrong = {}
    for module, path in MODULES.items():
        # The version is plain text and the package itself imports nothing, so anybody may read it.
        allowed = (
            MAY_IMPORT[part_of(module)] | MAY_ALSO_IMPORT.get(module, set()) | {part_of(module), "__init__"}
        )
        wrong[module] = {name for name in imports(path) if part_of(name) not in allowed}
    assert not {module: names for module, names in wrong.items() if names}


def test_no_parts_import_each_other_in_a_circle() -> None:
    needs: dict[str, set[str]] = {part_of(module): set() for module in MODULES}
    for module, path in MODULES.items():
        needs[part_of(module)] |= {part_of(name) for name in imports(path)} - {part_of(module)}
    while needs:
        free = {part for part, below in needs.items() if not below & needs.keys()}
        assert free, f"these import each other in a circle: {sorted(needs)}"
        needs = {part: below for part, below in needs.items() if part not in free}


def test_services_are_asked_through_their_face() -> None:
    wrong = {
        (module, name)
        for module, path in MODULES.items()
        for name in imports(path)
        if name.startswith("services.") and part_of(module) != "services"
    }
    assert not wrong


def test_every_service_stands_above_what_it_imports() -> None:
    floor = {f"services.{name}": number for number, names in enumerate(SERVICE_FLOORS) for name in names}
    services = {module for module in MODULES if module.startswith("services.")}
    assert services == floor.keys()
    wrong = {
        (module, name)
        for module in services
        for name in imports(MODULES[module])
        if floor.get(name, -1) >= floor[module]
    }
    assert not wrong


def test_the_top_level_can_be_taken_in_at_a_glance() -> None:
    entries = {path.name for path in ROOT.iterdir() if not path.name.startswith("__pycache__")} - NOT_COUNTED
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_the_drawing_names_every_part_and_every_service() -> None:
    (drawing,) = re.findall(r"^```text\n(.*?)^```", CONTRIBUTING, re.DOTALL | re.MULTILINE)
    words = set(re.findall(r"\w+", drawing))
    parts = {path.stem for path in ROOT.iterdir() if path.name not in NOT_COUNTED} - {"__pycache__"}
    services = {name for names in SERVICE_FLOORS for name in names}
    assert parts | services <= words


@pytest.mark.parametrize("app", ["the package", "the sandbox and what tests need"])
def test_no_two_modules_share_a_name_unless_they_are_counterparts(app: str) -> None:
    of_the_sandbox = app != "the package"
    names: dict[str, list[str]] = {}
    for module in MODULES:
        first, *inner = module.split(".")
        # The parts of one provider are named alike in each; the sandbox plays the other side of what has our names.
        is_counted = first not in {"migrations", "sandbox"} and not (first == "backends" and len(inner) > 1)
        if first == "testing" or (first == "sandbox" if of_the_sandbox else is_counted):
            names.setdefault(module.rpartition(".")[2], []).append(module)
    shared = {name: modules for name, modules in names.items() if len(modules) > 1}
    assert not {name: modules for name, modules in shared.items() if name not in COUNTERPARTS}


@pytest.mark.parametrize("module", sorted(PUBLIC & MODULES.keys()))
def test_a_public_module_exports_its_public_names_and_no_others(module: str) -> None:
    exported = exported_names(MODULES[module])
    assert exported is not None, f"{module} has no __all__"
    defined, imported = public_names(MODULES[module])
    assert defined <= set(exported) <= defined | imported
    assert len(exported) == len(set(exported))


def test_only_public_modules_and_faces_of_packages_export_names() -> None:
    exporting = {
        module
        for module, path in MODULES.items()
        if path.name != "__init__.py" and exported_names(path) is not None
    }
    assert not {module for module in exporting - PUBLIC if part_of(module) not in {"sandbox", "testing"}}


def test_the_package_can_be_imported_by_a_settings_module() -> None:
    assert not [
        node
        for node in ast.walk(ast.parse(MODULES["__init__"].read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
