"""Imports go one way: a room knows only those that stand before it in this list."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mockvoice"

# The order of the house, as the README draws it. `openapi` is itself ordered, inside it.
ROOMS = [
    "types",
    "text",
    "redact",
    "errors",
    "config.settings",
    "config.yaml",
    "audio.detect",
    "audio.synth",
    "audio.containers",
    "openapi.normalize",
    "openapi.messages",
    "openapi.schema",
    "openapi.examples",
    "openapi.document",
    "state.clock",
    "state.ids",
    "state.uploads",
    "state.records",
    "state.journal",
    "http.transport",
    "faults.kinds",
    "faults.rules",
    "state.accounts",
    "state.store",
    "state.memory",
    "state.access_log",
    "client.transports",
    "client.models",
    "client.report",
    "client.control",
    "provider",
    "documented_errors",
    "seeding",
    "faults.headers",
    "faults.validation",
    "mock",
    "providers.*",
    "providers.__init__",
    "http.protocols",
    "http.auth",
    "http.body",
    "http.identify",
    "http.ratelimit",
    "http.params",
    "http.validation",
    "http.responses",
    "http.pipeline",
    "control.context",
    "control.origin",
    "control.token",
    "control.providers",
    "control.samples",
    "control.faults",
    "control.clock",
    "control.requests",
    "control.verification",
    "control.voices",
    "control.accounts",
    "control.reset",
    "control.api",
    "config.file",
    "http.app",
    "http.server",
    "asgi",
    "pytest_plugin",
    "cli.commands",
    "cli.serve",
    "cli.validate",
    "cli.contracts",
    "cli.health",
    "cli.requests",
    "cli.samples",
    "cli.faults",
    "cli.__init__",
    "__main__",
]

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.stat().st_size and (path.stem != "__init__" or path.parent.name in ("cli", "providers"))
}


def room(module: str) -> int:
    if module.startswith("providers.") and not module.endswith("__init__"):
        return ROOMS.index("providers.*")
    return ROOMS.index(module)


def imports(module: str) -> set[str]:
    """The modules of the package that a module imports anywhere, late imports too."""
    found = set()
    here = module.split(".")
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*here[: len(here) - node.level], *(node.module or "").split(".")]
            name = ".".join(step for step in base if step)
            for candidate in [name, *(f"{name}.{alias.name}".lstrip(".") for alias in node.names)]:
                found |= {each for each in (candidate, f"{candidate}.__init__") if each in MODULES}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_before_it(module: str) -> None:
    for imported in imports(module):
        assert room(imported) <= room(module), f"{module} imports {imported}"


def test_providers_do_not_know_each_other() -> None:
    for module in MODULES:
        if module.startswith("providers.") and module != "providers.__init__":
            assert not {each for each in imports(module) if each.startswith("providers.")}


def test_the_core_knows_no_provider_by_name() -> None:
    names = ["telnyx", "retell", "supertone", "faseeh"]
    for module, path in MODULES.items():
        if not module.startswith("providers.") and module != "client.control":  # names for editors
            code = [
                node
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Name | ast.Attribute)
                or (isinstance(node, ast.Constant) and node.value in names)
            ]
            told = {
                getattr(node, "id", getattr(node, "attr", getattr(node, "value", "")))
                for node in code
            }
            assert not told & {*names}, module


def test_every_module_opens_with_one_sentence() -> None:
    for module, path in MODULES.items():
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        first = docstring.split("\n\n")[0].split("\n")[0]
        assert first, module
