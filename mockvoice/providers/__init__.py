"""What each contract leaves unsaid; this finds the modules of its folder, and other people's."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module, util
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from ..openapi.normalize import ContractError
from ..provider import Provider

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def built_in() -> list[Provider]:
    """The providers of this folder by name, the control API last."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    found: list[Provider] = [module.provider for module in modules]
    return sorted(found, key=lambda provider: provider.name)


def served(own: Iterable[Provider | str] = ()) -> list[Provider]:
    """Other people's providers, or what `custom` makes of their texts, before the built-in ones.

    Raises ContractError for what is none, and for a name that is taken.
    """
    known = built_in()
    for each in reversed([*own]):
        provider = custom(each) if isinstance(each, str) else each
        if provider.name in {other.name for other in known}:
            raise ContractError(f"there is a provider {provider.name} already; choose another name")
        known.insert(0, provider)
    return known


def custom(text: str) -> Provider:
    """The provider of `acme=path.yaml`, or of `acme=path.yaml:module` with a module of functions.

    The module (`package.module`, or `path.py`) has a Provider by the name of `provider`; its name
    and contract are those of the text. Raises ContractError.
    """
    name, equals, rest = text.partition("=")
    path, _, module = (rest, "", "") if Path(rest).is_file() else rest.rpartition(":")
    if not equals or not _NAME.fullmatch(name):
        raise ContractError(
            f"a provider is given as acme=path.yaml or acme=path.yaml:module, with a name of small"
            f" letters, digits and dashes; got {text}"
        )
    contract = Path(path or rest)
    if not contract.is_file():
        raise ContractError(f"the contract of {name} is not there: no file {contract}")
    if not module:
        return Provider(name, contract=contract)
    found = getattr(_imported(name, module), "provider", None)
    if not isinstance(found, Provider):
        raise ContractError(f"{module} has no `provider = Provider({name!r}, ...)`")
    return replace(found, name=name, contract=contract)


def _imported(name: str, module: str) -> ModuleType:
    try:
        return _from_file(name, module) if module.endswith(".py") else import_module(module)
    except (ImportError, OSError) as error:
        raise ContractError(f"the module of {name} cannot be imported: {error}") from None
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
        raise ContractError(f"the module of {name} cannot be imported: {wrong}") from error


def _from_file(name: str, path: str) -> ModuleType:
    spec = util.spec_from_file_location(f"mockvoice_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    found = util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found
