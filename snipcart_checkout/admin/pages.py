"""The page before an action, and doing it: asked by GET, done by POST, in no transaction."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst

from snipcart_checkout import services
from snipcart_checkout.admin.actions import Result, StaffAction
from snipcart_checkout.admin.forms import ActionForm
from snipcart_checkout.admin.readonly import ReadOnlyAdmin
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.conf.translation import ngettext
from snipcart_checkout.snipcart.transport import REQUEST_SECONDS, time_budget

MOST_AT_ONCE: Final = 20
"""Each row may take a call or two to a provider and to Snipcart, while somebody waits for the page."""


class ActingAdmin(ReadOnlyAdmin):
    """An admin with actions, offered in the list and on the page of each row.

    An action of the list only leads to the page that asks; what acts is a view of our own, because parts of Django's
    run in a transaction.
    """

    staff_actions: ClassVar[Sequence[StaffAction]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actions = [_in_list(action) for action in self.staff_actions]

    def may(self, request: HttpRequest, permission: str) -> bool:
        """Return whether the user may see the ledger and holds one of our permissions."""
        granted = request.user.has_perm(f"{self.opts.app_label}.{permission}")
        return granted and self.has_view_permission(request)

    def has_settle_payment_permission(self, request: HttpRequest) -> bool:
        """For Django's list of actions."""
        return self.may(request, "settle_payment")

    def has_refund_payment_permission(self, request: HttpRequest) -> bool:
        """For Django's list of actions."""
        return self.may(request, "refund_payment")

    def has_redeliver_payment_permission(self, request: HttpRequest) -> bool:
        """For Django's list of actions."""
        return self.may(request, "redeliver_payment")

    def has_resolve_payment_permission(self, request: HttpRequest) -> bool:
        """For Django's list of actions."""
        return self.may(request, "resolve_payment")

    def own_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act_view)
        return [path("act/<slug:name>/", view, name=f"{self.opts.app_label}_{self.opts.model_name}_act")]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        context = self.get_row_context(request, row) if row is not None else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def get_row_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page of a row shows besides its fields."""
        # The whole id stands among the fields; above them it would lie under the buttons.
        title = f"{capfirst(self.opts.verbose_name)} {self.get_row_name(row)}"
        return {"staff_actions": self.action_links(request, row), "title": title, "subtitle": None}

    def action_links(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """Return address and label of what the user may do with a row as it is now."""
        query = urlencode({"row": row.pk})
        return [
            (f"{self._act_url(action)}?{query}", str(action.label))
            for action in self.staff_actions
            if self.may(request, action.permission) and action.fits(row)
        ]

    def get_row_name(self, row: Any) -> str:
        """Return what people call a row: the short reference of its payment."""
        return str(getattr(row, "payment", row).display_reference)

    def get_row_summary(self, row: Any) -> dict[Any, Any]:
        """Return what the page that asks says of a row, by its heading."""
        return {}

    def act_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Ask about an action (GET), or do it (POST)."""
        action = next((action for action in self.staff_actions if action.name == name), None)
        if action is None:
            raise Http404
        if not self.may(request, action.permission):
            raise PermissionDenied
        sent = request.POST if request.method == "POST" else request.GET
        rows = self._rows(sent.getlist("row"))
        return self.ask(request, action, rows, sent if request.method == "POST" else None)

    def _rows(self, ids: Sequence[str]) -> list[Any]:
        try:
            keys = [uuid.UUID(text) for text in ids[: MOST_AT_ONCE + 1]]
        except ValueError:
            raise Http404 from None
        # Read whole and anew: what the services are given must be what the database holds now.
        return list(self.model.objects.filter(pk__in=keys))

    def ask(
        self, request: HttpRequest, action: StaffAction, rows: Sequence[Any], answers: Any = None
    ) -> HttpResponse:
        """Show the page of an action, or do it where the answers are good."""
        most = 1 if action.one_at_a_time else MOST_AT_ONCE
        fitting = [row for row in rows if action.fits(row)]
        if len(rows) > most:
            text = ngettext("Choose one only.", "Choose %(count)d at most.", most) % {"count": most}
            return self._back(request, rows, Result(level=messages.WARNING, text=text))
        if not fitting:
            text = _("There is nothing to do: this is not possible in the current state.")
            return self._back(request, rows, Result(level=messages.WARNING, text=text))
        form = action.form(fitting, answers)
        if answers is not None and form.is_valid():
            # What finds no time any more is not sent, and stays as it is.
            with time_budget(REQUEST_SECONDS):
                return self._act(request, action, fitting, form)
        return self._question(request, action, rows, form)

    def _act(
        self, request: HttpRequest, action: StaffAction, rows: Sequence[Any], form: ActionForm
    ) -> HttpResponse:
        for row in rows:
            result = self._run(action, row, form, by=request.user.get_username())
            self.log_change(request, row, _label(action.label, result.text))
            self.message_user(request, _label(self.get_row_name(row), result.text), result.level)
        return self._back(request, rows)

    def _run(self, action: StaffAction, row: Any, form: ActionForm, *, by: str) -> Result:
        try:
            return action.run(row, form.cleaned_data, by=by)
        except Exception as error:  # whatever it is, the rows before this one are done and must be reported
            services.log(
                logging.ERROR, "%s of %s by staff failed: %s", action.name, row.pk, type(error).__name__
            )
            text = _("This failed partway. Check the history before you try again.")
            return Result(level=messages.ERROR, text=text)

    def _question(
        self, request: HttpRequest, action: StaffAction, rows: Sequence[Any], form: ActionForm
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": action.label,
            "action": action,
            "action_url": self._keep_filters(request, self._act_url(action)),
            "back_url": self._back_url(request, rows),
            "warning": action.warning(form.rows),
            "form": form,
            "summaries": [self.get_row_summary(row) for row in form.rows],
            "left_out": [self.get_row_name(row) for row in rows if row not in form.rows],
            "media": self.media + form.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"admin/{self.opts.app_label}/act.html", context)

    def _back(
        self, request: HttpRequest, rows: Sequence[Any], result: Result | None = None
    ) -> HttpResponseRedirect:
        if result is not None:
            self.message_user(request, result.text, result.level)
        return HttpResponseRedirect(self._back_url(request, rows))

    def _back_url(self, request: HttpRequest, rows: Sequence[Any]) -> str:
        page, keys = ("change", [rows[0].pk]) if len(rows) == 1 else ("changelist", [])
        return self._keep_filters(request, self._url(page, *keys))

    def _act_url(self, action: StaffAction) -> str:
        return self._url("act", action.name)

    def _keep_filters(self, request: HttpRequest, url: str) -> str:
        kept: dict[str, Any] = {"preserved_filters": self.get_preserved_filters(request), "opts": self.opts}
        return add_preserved_filters(kept, url)


def _in_list(action: StaffAction) -> Callable[[ActingAdmin, HttpRequest, QuerySet[Any]], HttpResponse]:
    @admin.action(permissions=[action.permission], description=action.label)
    def ask(modeladmin: ActingAdmin, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse:
        return modeladmin.ask(request, action, list(chosen[: MOST_AT_ONCE + 1]))

    ask.__name__ = action.name
    return ask


def _label(label: object, text: object) -> str:
    return _("%(reference)s: %(result)s") % {"reference": label, "result": text}
