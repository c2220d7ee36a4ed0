"""The layers of the package: a module imports only modules of its own and lower layers."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mockvoice"

# From the lowest to the highest. docs/architecture.md describes the folders.
LAYERS = [
    "types",
    "text",
    "color",
    "redact",
    "errors",
    "config.settings",
    "config.yaml",
    "config.emitter",
    "audio.detect",
    "audio.synth",
    "audio.containers",
    "openapi.normalize",
    "openapi.choices",
    "openapi.messages",
    "openapi.schema",
    "openapi.paths",
    "openapi.examples",
    "openapi.document",
    "openapi.diff",
    "state.clock",
    "state.ids",
    "state.uploads",
    "state.records",
    "state.events",
    "state.journal",
    "http.transport",
    "http.tls",
    "faults.shorthand",
    "faults.pointers",
    "faults.kinds",
    "faults.rules",
    "state.accounts",
    "state.store",
    "state.memory",
    "state.codec",
    "state.redis_client",
    "state.redis",
    "state.access_log",
    "client.transports",
    "fields",
    "models",
    "report",
    "coverage",
    "differences",
    "client.intercept",
    "client.control",
    "client.events",
    "upstream.messages",
    "upstream.forward",
    "upstream.validation",
    "upstream.compare",
    "provider",
    "upstream.adopt",
    "upstream.recording",
    "upstream.replay",
    "upstream.services",
    "documented_errors",
    "seeding",
    "faults.headers",
    "faults.validation",
    "mock",
    "providers.*",
    "providers.__init__",
    "http.protocols",
    "http.hosts",
    "http.auth",
    "http.body",
    "http.origin",
    "http.identify",
    "http.ratelimit",
    "http.params",
    "http.validation",
    "http.responses",
    "http.sdk",
    "http.frames",
    "http.live",
    "http.shadow",
    "http.websocket",
    "http.relay",
    "http.pipeline",
    "control.context",
    "control.token",
    "control.providers",
    "control.samples",
    "control.ca",
    "control.faults",
    "control.clock",
    "control.requests",
    "control.events",
    "control.verification",
    "control.coverage",
    "control.differences",
    "control.voices",
    "control.accounts",
    "control.sandboxes",
    "control.reset",
    "config.file",
    "control.transfer",
    "control.api",
    "http.inspector",
    "http.app",
    "http.handshake",
    "http.tunnel",
    "http.proxy",
    "http.server",
    "http.workers",
    "asgi",
    "pytest_coverage",
    "pytest_differences",
    "pytest_plugin",
    "cli.commands",
    "cli.reload",
    "cli.serve",
    "cli.validate",
    "cli.contracts",
    "cli.diff",
    "cli.health",
    "cli.requests",
    "cli.report",
    "cli.samples",
    "cli.ca",
    "cli.faults",
    "cli.state",
    "cli.sandboxes",
    "cli.transfer",
    "cli.__init__",
    "__main__",
]

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.stat().st_size and (path.stem != "__init__" or path.parent.name in ("cli", "providers"))
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer(module: str) -> int:
    if module.startswith("providers.") and not module.endswith("__init__"):
        return LAYERS.index("providers.*")
    return LAYERS.index(module)


def imports(module: str) -> set[str]:
    """Return the modules of the package that a module imports, also inside functions."""
    imported: set[str] = set()
    package = module.split(".")
    for node in ast.walk(parsed(MODULES[module])):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level], *(node.module or "").split(".")]
            name = ".".join(step for step in base if step)
            for target in [name, *(f"{name}.{alias.name}".lstrip(".") for alias in node.names)]:
                imported |= {target, f"{target}.__init__"} & MODULES.keys()
    return imported


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_lower_layers(module: str) -> None:
    for imported in imports(module):
        assert layer(imported) <= layer(module), f"{module} imports {imported}"


def test_every_layer_exists() -> None:
    assert {*LAYERS} - {"providers.*"} <= MODULES.keys()
    assert len({*LAYERS}) == len(LAYERS)


def test_providers_do_not_import_each_other() -> None:
    for module in MODULES:
        if module.startswith("providers.") and module != "providers.__init__":
            assert not {name for name in imports(module) if name.startswith("providers.")}


def test_core_does_not_name_providers() -> None:
    providers = {"telnyx", "retell", "supertone", "faseeh"}
    for module, path in MODULES.items():
        if module.startswith("providers.") or module == "client.control":  # attributes for editors
            continue
        names = {
            getattr(node, "id", getattr(node, "attr", getattr(node, "value", "")))
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Name | ast.Attribute)
            or (isinstance(node, ast.Constant) and node.value in [*providers])
        }
        assert not names & providers, module


def test_every_module_has_a_summary() -> None:
    for module, path in MODULES.items():
        docstring = ast.get_docstring(parsed(path)) or ""
        summary = docstring.split("\n")[0]
        assert summary, module


def test_docstring_states_what_an_object_is_or_does() -> None:
    question = re.compile(r'"""(What|Whether|How|Where|Why|Which)\b.*')
    for folder in ("mockvoice", "tests", "examples"):
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" not in path.parts:
                found = question.search(path.read_text(encoding="utf-8"))
                assert not found, f"{path}: {found[0]}"


def test_public_class_names_are_unique() -> None:
    names = [
        node.name
        for path in MODULES.values()
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert sorted(names) == sorted({*names})


def test_tests_import_sdks_where_they_use_them() -> None:
    """Importing one takes a second in each worker of pytest-xdist; `tests/sdk` may."""
    sdk = re.compile(r"^(?:from|import) (telnyx|retell|supertone)\b", re.MULTILINE)
    for path in (ROOT / "tests").rglob("test_*.py"):
        found = sdk.search(path.read_text(encoding="utf-8"))
        if found and path.parent.name != "sdk" and "node_modules" not in path.parts:
            imported = [node for node in parsed(path).body if sdk.match(ast.unparse(node))]
            assert not imported, path  # and not the text of a test
