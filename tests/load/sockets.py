"""Many WebSockets that speak graphql-transport-ws, each with one subscription."""

import base64
import json
import os
import selectors
import socket
import struct
import time


class Subscribers:
    """Open while used as a context."""

    def __init__(self, port, token, query, count):
        self.port, self.token, self.query, self.count = port, token, query, count

    def __enter__(self):
        self.sockets = [self.open() for _ in range(self.count)]
        # The server's own bookkeeping comes after the last answer.
        time.sleep(2)
        return self

    def __exit__(self, *_):
        for connection in self.sockets:
            connection.close()

    def open(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(
            (
                f"GET /graphql/ws HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
            ).encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise SystemExit(f"no WebSocket: {head!r}")
        self.send(connection, {"type": "connection_init", "payload": {"authorization": f"Bearer {self.token}"}})
        acknowledged = json.loads(self.receive(connection))
        if acknowledged["type"] != "connection_ack":
            raise SystemExit(f"no acknowledgement: {acknowledged}")
        self.send(connection, {"type": "subscribe", "id": "1", "payload": {"query": self.query}})
        return connection

    @staticmethod
    def send(connection, message):
        body = json.dumps(message).encode()
        mask = os.urandom(4)
        length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + struct.pack(">H", len(body))
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))
        connection.sendall(b"\x81" + length + mask + masked)

    @staticmethod
    def receive(connection):
        """The next text; pings are left unanswered for as long as this lives."""
        while True:
            first, length = exactly(connection, 2)
            if length == 126:
                length = struct.unpack(">H", exactly(connection, 2))[0]
            body = exactly(connection, length)
            if first & 0x0F == 1:
                return body

    def hear_all(self, seconds):
        """When the last of them has got a message."""
        selector = selectors.DefaultSelector()
        for connection in self.sockets:
            selector.register(connection, selectors.EVENT_READ)
        waiting, until = len(self.sockets), time.monotonic() + seconds
        while waiting:
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise SystemExit(f"{waiting} subscribers heard nothing within {seconds} s")
            for key, _ in ready:
                if json.loads(self.receive(key.fileobj))["type"] == "next":
                    selector.unregister(key.fileobj)
                    waiting -= 1
        return time.monotonic()


def exactly(connection, count):
    body = b""
    while len(body) < count:
        part = connection.recv(count - len(body))
        if not part:
            raise SystemExit("the server closed a WebSocket")
        body += part
    return body
