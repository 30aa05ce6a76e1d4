"""A site that Sentry or OpenTelemetry watches; prints as JSON what they would have sent.

Run as ``python -m tests.support.monitored_site sentry`` (or ``opentelemetry``), with ``plain`` behind it without the
hooks. It is a process of its own because both packages patch Django and the HTTP libraries for good.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import django
from django.views.decorators.csrf import csrf_exempt

CAPABILITY = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
_CSRF = "0123456789abcdefghijABCDEFGHIJ01"
_KINDS = {"sentry": "_watched_by_sentry", "opentelemetry": "_watched_by_opentelemetry"}


def context(request: Any, session: Any, store: Any) -> dict[str, str]:
    """Fail like a hook with a bug, with the token in variables of several names."""
    public_token = request.GET["publicToken"]
    copies = [public_token, {"anything": public_token}]
    raise RuntimeError(f"no context for {public_token}, nor for {len(copies)} copies")


def method_filter(methods: Any, invoice: Any, store: Any) -> list[Any]:
    """Fail for the webhook's order, like a hook with a bug."""
    if invoice.cart_id == "broken":
        raise RuntimeError("no methods")
    return list(methods)


@csrf_exempt
def refused(request: Any, **kwargs: Any) -> Any:
    """Fail with a refund's capability at hand, as a bug of ours would."""
    capability = kwargs["capability"]
    raise RuntimeError(f"{len(capability)} characters at {request.path}")


def _watched_by_sentry(*, scrubbed: bool) -> Callable[[], list[Any]]:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    from snipcart_checkout.contrib import scrub

    sent: list[Any] = []

    class Collector(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.extend(item.payload.get_bytes().decode() for item in envelope.items)

    sentry_sdk.init(
        "http://public@127.0.0.1:9/1",
        transport=Collector,
        traces_sample_rate=1.0,
        send_default_pii=True,
        max_request_body_size="always",
        enable_logs=True,
        before_send=scrub.before_send if scrubbed else None,
        before_send_transaction=scrub.before_send_transaction if scrubbed else None,
        before_breadcrumb=scrub.before_breadcrumb if scrubbed else None,
        before_send_log=scrub.before_send_log if scrubbed else None,
    )

    def collect() -> list[Any]:
        sentry_sdk.flush()
        return sent

    return collect


def _watched_by_opentelemetry(*, scrubbed: bool) -> Callable[[], list[Any]]:
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from snipcart_checkout.contrib.scrub.opentelemetry import ScrubbingSpanProcessor

    os.environ["OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST"] = "x-snipcart-requesttoken"
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(
        ScrubbingSpanProcessor(BatchSpanProcessor(exporter)) if scrubbed else SimpleSpanProcessor(exporter)
    )
    DjangoInstrumentor().instrument(tracer_provider=provider)
    URLLib3Instrumentor().instrument(tracer_provider=provider)

    def collect() -> list[Any]:
        provider.force_flush()
        provider.shutdown()
        return [span.to_json() for span in exporter.get_finished_spans()]

    return collect


def _requests(token: str) -> Iterator[tuple[str, str, bytes, str]]:
    invoice = {"amount": 12.3, "currency": "EUR", "language": "en", "targetId": "broken"}
    yield "GET", "/checkout/live/", b"", f"publicToken={token}"
    yield (
        "POST",
        "/checkout/live/methods/acme_card/",
        f"publicToken={token}&csrfmiddlewaretoken={_CSRF}".encode(),
        "",
    )
    body = json.dumps({"publicToken": token, "mode": "live", "invoice": invoice}).encode()
    yield "POST", "/checkout/live/payment-methods/", body, ""
    yield "POST", f"/checkout/live/refunds/{CAPABILITY}/", b'{"paymentId": "p", "amount": 1}', ""
    yield "POST", f"/broken/refunds/{CAPABILITY}/", b"{}", ""


def _visit(token: str) -> list[int]:
    """Send the requests through WSGI, where both packages listen, and return the status codes."""
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    statuses: list[int] = []

    def start_response(status: str, headers: object, error: object = None, /) -> Callable[[bytes], object]:
        statuses.append(int(status[:3]))
        return sys.stderr.buffer.write

    for method, path, body, query in _requests(token):
        is_form = body.startswith(b"publicToken")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": "application/x-www-form-urlencoded" if is_form else "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_COOKIE": f"csrftoken={_CSRF}",
            "HTTP_HOST": "pay.shop.example",
            "HTTP_ORIGIN": "https://pay.shop.example",
            "HTTP_X_SNIPCART_REQUESTTOKEN": token[::-1],
            "SERVER_NAME": "pay.shop.example",
            "SERVER_PORT": "443",
            "wsgi.url_scheme": "https",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
        }
        answer = application(environ, start_response)
        b"".join(answer)
        answer.close()
    return statuses


def main(kind: str, *, scrubbed: bool) -> dict[str, Any]:
    """Visit the site and return the token, the status codes and all that was sent."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.monitored_settings"
    collect = globals()[_KINDS[kind]](scrubbed=scrubbed)
    django.setup()

    from django.conf import settings
    from django.core.management import call_command

    from snipcart_checkout.testing import StandIn

    call_command("migrate", verbosity=0)
    with StandIn() as snipcart:
        settings.SNIPCART_CHECKOUT = {**settings.SNIPCART_CHECKOUT, **snipcart.settings}
        token = snipcart.session().public_token
        statuses = _visit(token)
    return {"token": token, "statuses": statuses, "sent": collect()}


if __name__ == "__main__":
    json.dump(main(sys.argv[1], scrubbed="plain" not in sys.argv), sys.stdout)
