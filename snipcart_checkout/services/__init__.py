"""The use cases, one function each; pages, webhooks, commands and the admin all come through here."""

from __future__ import annotations

from snipcart_checkout.services.alerts import get_settle_overdue_since
from snipcart_checkout.services.attempts import (
    MAX_ATTEMPTS,
    Attempts,
    get_attempts,
    has_ended,
)
from snipcart_checkout.services.backend_calls import build_charge, can_look_up, find_payment_backend
from snipcart_checkout.services.diagnosis import (
    Connection,
    Diagnosis,
    ProviderAnswer,
    StoreDiagnosis,
    diagnose,
    find_ledger_problem,
)
from snipcart_checkout.services.giving_up import give_up
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.lookups import (
    check_redirect,
    end_outdated_redirect,
    handle_notification,
    handle_return,
    has_open_redirect,
    refresh_payment,
)
from snipcart_checkout.services.methods import answer_methods_request, is_plan_refused, offered_methods
from snipcart_checkout.services.open_cases import (
    OpenCases,
    confirmations_in_review,
    confirmations_undelivered_too_long,
    count_open_cases,
    find_payments_needing_attention,
    payments_in_review,
    payments_needing_attention,
    payments_unknown_too_long,
    refunds_in_review,
    refunds_unknown_too_long,
)
from snipcart_checkout.services.order_comparison import hash_order
from snipcart_checkout.services.own_addresses import OwnAddress, list_addresses
from snipcart_checkout.services.payments import Order, get_payment, pay
from snipcart_checkout.services.probes import PROBE_PARAMETER, SiteAnswer, answer_probe
from snipcart_checkout.services.pruning import PruneReport, prune
from snipcart_checkout.services.refund_links import get_payment_of_link
from snipcart_checkout.services.refund_requests import answer_refund_request
from snipcart_checkout.services.refunds import supports_refund
from snipcart_checkout.services.sessions import get_payment_session
from snipcart_checkout.services.settlement import SettlementReport, settle
from snipcart_checkout.services.staff import (
    RESOLUTIONS,
    can_be_received,
    can_resolve_refund,
    can_undo_given_back,
    count_events,
    get_day,
    get_missing_minor_units,
    get_today,
    list_resolutions,
    list_undelivered,
    mark_expired,
    mark_given_back,
    mark_received,
    redeliver,
    refund_by_staff,
    resolve_refund,
    resolve_review,
    undo_given_back,
)

__all__ = [
    "MAX_ATTEMPTS",
    "PROBE_PARAMETER",
    "RESOLUTIONS",
    "Attempts",
    "Connection",
    "Diagnosis",
    "OpenCases",
    "Order",
    "OwnAddress",
    "ProviderAnswer",
    "PruneReport",
    "SettlementReport",
    "SiteAnswer",
    "StoreDiagnosis",
    "answer_methods_request",
    "answer_probe",
    "answer_refund_request",
    "build_charge",
    "can_be_received",
    "can_look_up",
    "can_resolve_refund",
    "can_undo_given_back",
    "check_redirect",
    "confirmations_in_review",
    "confirmations_undelivered_too_long",
    "count_events",
    "count_open_cases",
    "diagnose",
    "end_outdated_redirect",
    "find_ledger_problem",
    "find_payment_backend",
    "find_payments_needing_attention",
    "get_attempts",
    "get_day",
    "get_missing_minor_units",
    "get_payment",
    "get_payment_of_link",
    "get_payment_session",
    "get_settle_overdue_since",
    "get_today",
    "give_up",
    "handle_notification",
    "handle_return",
    "has_ended",
    "has_open_redirect",
    "hash_order",
    "is_plan_refused",
    "list_addresses",
    "list_resolutions",
    "list_undelivered",
    "log",
    "mark_expired",
    "mark_given_back",
    "mark_received",
    "offered_methods",
    "pay",
    "payments_in_review",
    "payments_needing_attention",
    "payments_unknown_too_long",
    "prune",
    "redeliver",
    "refresh_payment",
    "refund_by_staff",
    "refunds_in_review",
    "refunds_unknown_too_long",
    "resolve_refund",
    "resolve_review",
    "settle",
    "supports_refund",
    "undo_given_back",
]
