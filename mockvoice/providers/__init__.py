"""What each contract leaves unsaid; this finds the modules of its folder."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..provider import Provider


def built_in() -> list[Provider]:
    """The providers of this folder by name, the control API last."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    found: list[Provider] = [module.provider for module in modules]
    return sorted(found, key=lambda each: (each.prefix == "", each.name))
