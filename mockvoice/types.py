"""Type aliases shared by the whole package."""

from __future__ import annotations

from typing import Any

JSON = Any  # null, a boolean, a number, text, or a list or dict of these
Node = dict[str, Any]  # a JSON object of an OpenAPI document
