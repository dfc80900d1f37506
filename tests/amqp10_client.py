"""A client of AMQP 1.0 on Apache Qpid Proton: a library that shares nothing with ours, in a process of its own.

Proton comes with the system's Python (Debian: python3-qpid-proton), so `tests.amqp10` runs this file with that one.
One order as JSON on the standard input, one answer as JSON on the standard output; bodies are in base64.
"""

import base64
import json
import sys
from contextlib import suppress
from typing import Any  # Any below: JSON, and a library without types

import proton  # type: ignore[import-not-found,import-untyped,unused-ignore] # of the system's Python, not of ours
from proton import utils

TIMEOUT_S = 15


class Connection(utils.BlockingConnection):  # type: ignore[misc] # a library without types
    """Raises what the broker ends a session with; by itself it would wait on."""

    def on_session_remote_close(self, event: Any) -> None:
        if condition := event.session.remote_condition:
            raise proton.ProtonException(f"{condition.name}: {condition.description}")


def main() -> None:
    order = json.load(sys.stdin)
    try:
        answer = act(order)
    except proton.ProtonException as error:
        answer = {"refused": f"{type(error).__name__}: {error}"}
    json.dump(answer, sys.stdout)


def act(order: dict[str, Any]) -> dict[str, Any]:
    connection = connect(order)
    try:
        return {"send": send, "receive": receive, "look": look}[order["do"]](connection, order)
    finally:
        with suppress(proton.ProtonException):  # what the broker has ended already
            connection.close()


def connect(order: dict[str, Any]) -> Any:
    domain = proton.SSLDomain(proton.SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(order["authority"])
    domain.set_credentials(order["certificate"], order["key"], None)
    domain.set_peer_authentication(proton.SSLDomain.VERIFY_PEER_NAME)
    return Connection(
        order["url"],
        timeout=TIMEOUT_S,
        ssl_domain=domain,
        allowed_mechs="EXTERNAL",
        virtual_host=f"vhost:{order['virtual_host']}",
        sni="localhost",
    )


def send(connection: Any, order: dict[str, Any]) -> dict[str, Any]:
    """One data section, or a text as a value, until the broker has settled it."""
    content = base64.b64decode(order["body"])
    body = content.decode() if order["is_text"] else content
    message = proton.Message(body=body, durable=True, inferred=not order["is_text"])
    for name, value in order["properties"].items():
        setattr(message, name, value.encode() if name == "user_id" else value)
    message.properties = order["application_properties"] or None
    delivery = connection.create_sender(order["address"]).send(message)
    return {"outcome": delivery.remote_state.name}


def receive(connection: Any, order: dict[str, Any]) -> dict[str, Any]:
    receiver = connection.create_receiver(order["address"], credit=order["count"])
    found = []
    for _ in range(order["count"]):
        message = receiver.receive()
        receiver.accept()
        found.append(
            {
                "body": base64.b64encode(message.body).decode(),
                "id": message.id,
                "correlation_id": message.correlation_id,
                "content_type": message.content_type,
                "application_properties": message.properties or {},
            }
        )
    return {"messages": found}


def look(connection: Any, _order: dict[str, Any]) -> dict[str, Any]:
    """What the broker says of itself."""
    told = connection.conn.remote_properties
    return {str(name): str(value) for name, value in told.items()}


if __name__ == "__main__":
    main()
