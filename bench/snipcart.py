"""A stand-in for Snipcart over TLS that costs next to nothing: raw sockets and answers made beforehand.

Run as ``python -m bench.snipcart CERTIFICATE``; prints its port. The token says how many lines the order has
(``lines-5``), and a number after it which order it is (``lines-5.17``). It plays a payment provider as well, under
``/provider``. ``/control?delay=0.08`` and ``/control?delay=hang`` set how long Snipcart thinks from then on,
``provider=…`` the same for the provider; like plain ``/control`` they answer with how many connections and calls there
have been.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from typing import cast

HANG = 3600.0
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
LINES = re.compile(rb"ublicToken=lines-(\d+)(?:\.(\d+))?")
DELAY = re.compile(rb"[?&](delay|provider)=([\w.]+)")


def session(lines: int) -> bytes:
    """The documented shape of a session, with an order of so many lines, as a whole HTTP answer."""
    item = {"unitPrice": 10.5, "quantity": 2, "amount": 21, "type": "Physical", "discountAmount": 0}
    address = {
        "name": "Ada",
        "surname": "Byron",
        "streetAndNumber": "12 rue des Écoles",
        "postalCode": "75005",
        "country": "FR",
        "city": "Paris",
        "region": None,
    }
    items = [{**item, "name": f"Mug, blue, number {number}"} for number in range(lines - 1)]
    items.append({**item, "name": "Shipping", "type": "Shipping", "quantity": 1, "unitPrice": 6, "amount": 6})
    body = {
        "id": f"Qk3fZzA1-0f6a1a52-5d5e-4c1b-9d1e-{lines:04}{NUMBER}",
        "paymentAuthorizationRedirectUrl": "https://shop.example/#/checkout",
        "paymentMethod": "acme_transfer",
        "invoice": {
            "amount": 21 * (lines - 1) + 6,
            "currency": "eur",
            "email": "ada@shop.example",
            "language": "fr",
            "targetId": "7d1f0c3e-2222-4444-8888-1234567890ab",
            "billingAddress": address,
            "shippingAddress": address,
            "items": items,
        },
    }
    return http(json.dumps(body, ensure_ascii=False).encode())


def http(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


NUMBER = "00000000"
"""Stands in each order's id and is replaced by its number."""

SESSIONS = {str(lines).encode(): session(lines) for lines in (4, 5, 50, 500)}
CHARGED = http(b'{"id": "charged"}')
RECORDED = http(b'{"returnUrl": "https://shop.example/#/order"}')
REFUSED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def answer_to(target: bytes) -> bytes:
    if target.startswith(b"/provider"):
        return CHARGED
    if order := LINES.search(target):
        return SESSIONS[order[1]].replace(NUMBER.encode(), (order[2] or b"").zfill(len(NUMBER)))
    return RECORDED if target.endswith(b"/payment") else REFUSED


class StandIn:
    """What all connections share: how long to think, and what there has been."""

    def __init__(self) -> None:
        self.delays = {b"delay": 0.0, b"provider": 0.0}
        self.connections = 0
        self.calls = 0

    def control(self, target: bytes) -> bytes:
        for what, seconds in DELAY.findall(target):
            self.delays[what] = HANG if seconds == b"hang" else float(seconds)
        return http(json.dumps({"connections": self.connections, "calls": self.calls}).encode())


class Connection(asyncio.Protocol):
    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.received = b""
        self.is_counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return
        target = head.split(b" ", 2)[1]
        self.received = b""
        if target.startswith(b"/control"):
            self.write(self.stand_in.control(target))
        else:
            self.answer(target)

    def answer(self, target: bytes) -> None:
        is_provider = target.startswith(b"/provider")
        self.stand_in.calls += not is_provider
        self.stand_in.connections += not self.is_counted
        self.is_counted = True
        delay = self.stand_in.delays[b"provider" if is_provider else b"delay"]
        if delay:
            asyncio.get_running_loop().call_later(delay, self.write, answer_to(target))
        else:
            self.write(answer_to(target))

    def write(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def serve(certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    stand_in = StandIn()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stand_in), "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
