"""Rules about the database of the ledger: its routers, its tables and its columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.db import connections, router
from django.db.models import Model, UUIDField

from snipcart_checkout.conf.translation import gettext as _

Messages = Iterator[checks.CheckMessage]

_KNOWN: Final = frozenset({"sqlite", "postgresql", "mysql"})
_COLUMNS: Final = {
    "mysql": (
        "SELECT column_name, data_type, character_set_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = %s"
    ),
    "postgresql": (
        "SELECT column_name, data_type, character_set_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = %s"
    ),
}


def _models() -> list[type[Model]]:
    return list(apps.get_app_config("snipcart_checkout").get_models())


def get_ledger_aliases() -> list[str]:
    """Return the databases that the ledger is written to; more than one is a mistake."""
    return sorted({router.db_for_write(model) for model in _models()})


def database() -> Messages:
    aliases = get_ledger_aliases()
    if len(aliases) > 1:
        yield checks.Error(
            _("The ledger's tables are in several databases, so no transaction can cover all of them."),
            hint=_("Make DATABASE_ROUTERS send every model of snipcart_checkout to one database."),
            id="snipcart_checkout.E303",
        )
    elif connections[alias := aliases[0]].vendor not in _KNOWN:
        yield checks.Warning(
            _(
                "The ledger is in DATABASES[{alias}], a kind of database that this app is not tested with."
            ).format(alias=repr(alias)),
            hint=_("Use PostgreSQL, MariaDB or SQLite."),
            id="snipcart_checkout.W301",
        )


def read_router() -> Messages:
    elsewhere = {
        router.db_for_read(model)
        for model in _models()
        if router.db_for_read(model) != router.db_for_write(model)
    }
    if elsewhere:
        yield checks.Info(
            _(
                "DATABASE_ROUTERS reads the ledger from {aliases}; it is read where it is written instead."
            ).format(aliases=", ".join(f"DATABASES[{alias!r}]" for alias in sorted(elsewhere))),
            hint=_("Nothing has to be done: a replica that lags must not decide about money."),
            id="snipcart_checkout.I301",
        )


def autocommit() -> Messages:
    for alias in sorted(set(get_ledger_aliases()) & set(connections)):
        if not connections[alias].settings_dict["AUTOCOMMIT"]:
            yield checks.Error(
                _(
                    "Nothing that is written to the ledger stays, because AUTOCOMMIT is off, so every payment is refused."
                ),
                hint=_("Take AUTOCOMMIT out of DATABASES[{alias}].").format(alias=repr(alias)),
                id="snipcart_checkout.E314",
            )


def query_cache() -> Messages:
    """Find django-cachalot keeping what it reads of the ledger, which is then decided about as it was before."""
    if apps.is_installed("cachalot") and any(map(_is_kept_by_cachalot, _models())):
        left_out = [*getattr(django_settings, "CACHALOT_UNCACHABLE_APPS", ()), "snipcart_checkout"]
        yield checks.Error(
            _(
                "django-cachalot keeps what it reads of the ledger, so that a process decides about a payment as it "
                "was, not as it is."
            ),
            hint=f"CACHALOT_UNCACHABLE_APPS = {left_out!r}",
            id="snipcart_checkout.E313",
        )


def _is_kept_by_cachalot(model: type[Model]) -> bool:
    def get(name: str, default: Any = ()) -> Any:
        return getattr(django_settings, f"CACHALOT_{name}", default)

    def is_named(kind: str) -> bool:
        return model._meta.db_table in get(f"{kind}_TABLES") or model._meta.app_label in get(f"{kind}_APPS")

    aliases = get("DATABASES", "supported_only")
    is_excluded = is_named("UNCACHABLE") or (
        (get("ONLY_CACHABLE_TABLES") or get("ONLY_CACHABLE_APPS")) and not is_named("ONLY_CACHABLE")
    )
    is_on = get("ENABLED", True) and (isinstance(aliases, str) or router.db_for_write(model) in aliases)
    return bool(is_on and not is_excluded)


def tables(databases: Collection[str]) -> Messages:
    """Check the definitions of the ledger's tables in the databases; missing tables are no mistake here."""
    for alias in set(get_ledger_aliases()) & set(databases):
        existing = _read_tables(alias)
        for rule in (_engines, _charsets, _uuids):
            yield from rule(alias, existing)
        yield from _connection_charset(alias)


@dataclass(frozen=True, kw_only=True)
class _Table:
    """A table as the database describes it. ``types`` and ``charsets`` are by column."""

    name: str
    engine: str
    types: Mapping[str, str]
    charsets: Mapping[str, str]


def _read_tables(alias: str) -> dict[str, _Table]:
    """Return the existing tables of the ledger; empty for databases that need no such check."""
    connection = connections[alias]
    if connection.vendor not in _COLUMNS:
        return {}
    engines = _read_engines(alias)
    return {
        name: _Table(name=name, engine=engines.get(name, ""), types=types, charsets=charsets)
        for name in (model._meta.db_table for model in _models())
        for types, charsets in [_read_columns(alias, name)]
        if types
    }


def _read_columns(alias: str, table: str) -> tuple[dict[str, str], dict[str, str]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(_COLUMNS[connections[alias].vendor], [table])
        rows = cursor.fetchall()
    types = {name: str(kind).lower() for name, kind, _charset in rows}
    return types, {name: charset for name, _kind, charset in rows if charset}


def _read_engines(alias: str) -> dict[str, str]:
    if connections[alias].vendor != "mysql":
        return {}
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
        return {name: str(engine) for name, engine in cursor.fetchall()}


def _engines(alias: str, existing: Mapping[str, _Table]) -> Messages:
    odd = [table for table in existing.values() if table.engine and table.engine.lower() != "innodb"]
    for table in odd:
        yield checks.Error(
            _("The table {table} is kept by {engine}, which knows no transactions.").format(
                table=table.name, engine=table.engine
            ),
            hint=f"ALTER TABLE `{table.name}` ENGINE=InnoDB;",
            id="snipcart_checkout.E403",
        )


def _charsets(alias: str, existing: Mapping[str, _Table]) -> Messages:
    if connections[alias].vendor != "mysql":
        return
    for table in existing.values():
        odd = sorted(name for name, charset in table.charsets.items() if charset != "utf8mb4")
        if odd:
            yield checks.Error(
                _(
                    "Columns of the table {table} cannot hold every text, because they are not utf8mb4: {columns}."
                ).format(table=table.name, columns=", ".join(odd)),
                hint=f"ALTER TABLE `{table.name}` CONVERT TO CHARACTER SET utf8mb4;",
                id="snipcart_checkout.E401",
            )


def _connection_charset(alias: str) -> Messages:
    if connections[alias].vendor != "mysql":
        return
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT @@character_set_client")
        charset = cursor.fetchone()[0]
    if charset != "utf8mb4":
        yield checks.Error(
            _(
                "The connection to DATABASES[{alias}] is {charset}, so that not every text can be stored."
            ).format(alias=repr(alias), charset=charset),
            hint='"OPTIONS": {"charset": "utf8mb4"},',
            id="snipcart_checkout.E404",
        )


def _uuids(alias: str, existing: Mapping[str, _Table]) -> Messages:
    """Find UUID columns of type text where this Django uses the native type, and the reverse."""
    native = connections[alias].features.has_native_uuid_field
    for model in _models():
        table = existing.get(model._meta.db_table)
        odd = [
            column
            for column in _uuid_columns(model)
            if table and column in table.types and (table.types[column] == "uuid") != native
        ]
        if table and odd:
            yield checks.Error(
                _(
                    "Columns of the table {table} are {found} where this Django expects {expected}: {columns}."
                ).format(
                    table=table.name,
                    found=", ".join(sorted({table.types[column] for column in odd})),
                    expected="uuid" if native else "char(32)",
                    columns=", ".join(odd),
                ),
                hint=_("Change their type; until then no payment is found by its reference."),
                id="snipcart_checkout.E402",
            )


@cache
def _uuid_columns(model: type[Model]) -> tuple[str, ...]:
    return tuple(str(field.column) for field in model._meta.local_fields if _is_uuid(field))


def _is_uuid(field: Any) -> bool:
    # A foreign key has the type of its target.
    return isinstance(getattr(field, "target_field", field), UUIDField)
