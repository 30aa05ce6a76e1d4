"""A span processor for OpenTelemetry."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Link, Status

from snipcart_checkout.contrib.scrub.scrubbing import scrub

__all__ = ["ScrubbingSpanProcessor"]


class ScrubbingSpanProcessor(SpanProcessor):
    """Passes spans on to another processor without the secrets in their names, attributes, events, links and status.

    A span that has ended cannot be changed, so this one has to stand between the spans and the processor that exports
    them: ``ScrubbingSpanProcessor(BatchSpanProcessor(exporter))``. Processors that are added beside it, and those that
    instrumentation adds by itself, see the spans as they are.
    """

    def __init__(self, exporting: SpanProcessor) -> None:
        self._exporting = exporting

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Tell the other processor that a span was started."""
        self._exporting.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand a clean copy of an ended span to the other processor."""
        self._exporting.on_end(_clean(span))

    def shutdown(self) -> None:
        """Shut the other processor down."""
        self._exporting.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Let the other processor export what it holds; return whether it did within so many milliseconds."""
        return self._exporting.force_flush(timeout_millis)


def _clean(span: ReadableSpan) -> ReadableSpan:
    # Secrets are looked for in the whole span, so that one that an attribute names is found in an event, too.
    parts = scrub(
        {
            "name": span.name,
            "attributes": dict(span.attributes or {}),
            "events": [(event.name, dict(event.attributes or {})) for event in span.events],
            "links": [dict(link.attributes or {}) for link in span.links],
            "description": span.status.description,
        }
    )
    events = zip(span.events, parts["events"], strict=True)
    links = zip(span.links, parts["links"], strict=True)
    return ReadableSpan(
        name=parts["name"],
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=parts["attributes"],
        events=[Event(name, attributes, event.timestamp) for event, (name, attributes) in events],
        links=[Link(link.context, attributes) for link, attributes in links],
        kind=span.kind,
        status=Status(span.status.status_code, parts["description"]),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
