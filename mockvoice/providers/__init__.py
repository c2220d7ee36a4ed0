"""The built-in providers, one module each, and the loading of custom ones."""

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
    """Return the providers of this package by name."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    providers: list[Provider] = [module.provider for module in modules]
    return sorted(providers, key=lambda provider: provider.name)


def served(additional: Iterable[Provider | str] = ()) -> list[Provider]:
    """Return additional providers, or those that their texts describe, before the built-in ones.

    Raises ContractError for an invalid text and for a duplicate name.
    """
    providers = built_in()
    for item in reversed([*additional]):
        provider = custom(item) if isinstance(item, str) else item
        if provider.name in {other.name for other in providers}:
            raise ContractError(f"a provider named {provider.name} exists; choose another name")
        providers.insert(0, provider)
    return providers


def custom(text: str) -> Provider:
    """Return the provider of `acme=path.yaml` or `acme=path.yaml:module`.

    The module (`package.module` or `path.py`) has a Provider named `provider`; name and contract
    are those of the text. Raises ContractError.
    """
    name, equals, rest = text.partition("=")
    path, _, module = (rest, "", "") if Path(rest).is_file() else rest.rpartition(":")
    if not equals or not _NAME.fullmatch(name):
        raise ContractError(
            "a provider must be acme=path.yaml or acme=path.yaml:module, with a name of lower-case"
            f" letters, digits and dashes; got {text}"
        )
    contract = Path(path or rest)
    if not contract.is_file():
        raise ContractError(f"the contract of {name} does not exist: {contract}")
    if not module:
        return Provider(name, contract=contract)
    provider = getattr(_import(name, module), "provider", None)
    if not isinstance(provider, Provider):
        raise ContractError(f"{module} has no `provider = Provider({name!r}, ...)`")
    return replace(provider, name=name, contract=contract)


def _import(name: str, module: str) -> ModuleType:
    try:
        return _import_file(name, module) if module.endswith(".py") else import_module(module)
    except (ImportError, OSError) as error:
        raise ContractError(f"the module of {name} cannot be imported: {error}") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ContractError(f"the module of {name} cannot be imported: {reason}") from error


def _import_file(name: str, path: str) -> ModuleType:
    spec = util.spec_from_file_location(f"mockvoice_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
