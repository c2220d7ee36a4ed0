"""The events of a server, continued when the connection breaks."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from .control import ControlError, error_message
from .transports import authorization, connection_to, split_url

_SILENCE = 40.0  # seconds without a byte; the server sends a heartbeat every 15
_RETRY = 0.5  # seconds before connecting again


class ServerEvent(NamedTuple):
    """One event: `request`, `dropped`, `cleared`, or `open` once the stream has begun."""

    name: str
    data: Any


def follow(url: str, control_token: str, query: Mapping[str, str | None]) -> Iterator[ServerEvent]:
    """Yield the events of a sandbox for as long as its server runs.

    Raises ControlError if the server refuses, ConnectionError once it has stopped.
    """
    server, prefix = split_url(url)
    parameters = {name: value for name, value in query.items() if value is not None}
    target = f"{prefix}/__mockvoice/events?{urlencode(parameters)}"
    headers = {"accept": "text/event-stream", **authorization(control_token)}
    begun = False
    while True:
        for fields in _blocks(server, target, headers):
            if "id" in fields:
                headers["last-event-id"] = fields["id"]
            if "data" in fields:
                yield ServerEvent(fields["event"], json.loads(fields["data"]))
            elif not begun:
                begun = True
                yield ServerEvent("open", None)
        time.sleep(_RETRY)


def _blocks(server: str, target: str, headers: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the fields of each block of lines until the connection ends.

    Raises ConnectionError if no server responds.
    """
    connection = connection_to(server, _SILENCE)
    try:
        connection.request("GET", target, headers={**headers})
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise ConnectionError(f"no mockvoice server at {server}: {error}") from None
    try:
        if response.status != 200:
            raise ControlError(error_message("GET", target, response.status, response.read()))
        fields: dict[str, str] = {}
        for line in response:
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            if name:
                fields[name] = value
            else:
                yield fields
                fields = {}
    except (OSError, http.client.HTTPException):
        return  # broken, or ended by the server
    finally:
        connection.close()
