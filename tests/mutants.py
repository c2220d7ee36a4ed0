"""Mutation testing: `make mutants`, or `python -m tests.mutants --sample 20 --only faults`.

Each mutant changes one expression or statement of a random sample, in a copy of the checkout. It is
killed if a test that executes its line fails or takes too long; a few of these tests run first, and
a random selection of them if there are very many.
Survivors are printed: each shows a missing test, or a change that makes no difference.

mutmut wraps every function and runs the tests in forks, but these tests start servers in other
processes and count calls and CPU time. With cosmic-ray every mutant runs the whole suite.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from importlib.util import cache_from_source
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import NamedTuple

from coverage import CoverageData

ROOT = Path(__file__).parents[1]

PACKAGES = ("faults", "state", "http", "openapi", "providers")
FAST = [
    "-m",
    "not slow and not network",
    "--hypothesis-profile=fast",
    "--ignore=tests/sdk",
    "--ignore=tests/cli",
]
FEW = 40  # tests that run first
MANY = 400  # tests that run at most
TIMEOUT = 400  # seconds for the tests of one mutant

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip


class Mutant(NamedTuple):
    """One change of one file: the node at this position of `nodes`.

    `first_line` and `line` are those of the statement and of the node.
    """

    path: Path
    position: int
    first_line: int
    line: int
    description: str


def mutate(node: ast.AST) -> str:
    """Change a node in place; return a description, "" if nothing can be changed."""
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            before = ast.unparse(node)
            if change(node):
                return f"{before.splitlines()[0]}  ->  {ast.unparse(node).splitlines()[0]}"
    return ""


def _comparison(node: ast.Compare) -> bool:
    node.ops[0] = COMPARISONS[type(node.ops[0])]()
    return True


def _boolean(node: ast.BoolOp) -> bool:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return True


def _arithmetic(node: ast.BinOp) -> bool:
    other = ARITHMETIC.get(type(node.op))
    if other is None or any(
        isinstance(side, ast.JoinedStr) or isinstance(getattr(side, "value", 0), str | bytes)
        for side in (node.left, node.right)
    ):
        return False
    node.op = other()
    return True


def _not(node: ast.UnaryOp) -> bool:
    if not isinstance(node.op, ast.Not):
        return False
    node.operand = ast.UnaryOp(ast.Not(), node.operand)
    return True


def _number(node: ast.Constant) -> bool:
    if isinstance(node.value, bool):
        node.value = not node.value
    elif isinstance(node.value, int | float):
        node.value += 1
    else:
        return False
    return True


def _condition(node: ast.If | ast.IfExp | ast.While) -> bool:
    if isinstance(node.test, ast.Constant | ast.Name) and "TYPE_CHECKING" in ast.unparse(node.test):
        return False
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return True


def _return(node: ast.Return) -> bool:
    if node.value is None or ast.unparse(node.value) == "None":
        return False
    node.value = ast.Constant(None)
    return True


def _statement(node: ast.Expr) -> bool:
    if not isinstance(node.value, ast.Call | ast.Await):
        return False
    node.value = ast.Constant(...)
    return True


_CHANGES: dict[type[ast.AST] | tuple[type[ast.AST], ...], Callable[..., bool]] = {
    ast.Compare: _comparison,
    ast.BoolOp: _boolean,
    ast.BinOp: _arithmetic,
    ast.UnaryOp: _not,
    ast.Constant: _number,
    (ast.If, ast.IfExp, ast.While): _condition,
    ast.Return: _return,
    ast.Expr: _statement,
}


def nodes(tree: ast.AST) -> Iterator[tuple[int, ast.AST]]:
    """Yield the nodes inside functions with the line of their statement, without annotations."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue  # walked by itself
                yield from _walk(statement, statement.lineno)


def _walk(node: ast.AST, line: int) -> Iterator[tuple[int, ast.AST]]:
    if isinstance(node, ast.stmt):
        line = node.lineno
    if not isinstance(node, ast.AnnAssign):
        yield line, node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, line)


def mutants(package: str) -> list[Mutant]:
    """Return all mutants of a package."""
    found = []
    for path in sorted((ROOT / "mockvoice" / package).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for index, (first_line, node) in enumerate(nodes(tree)):
            if description := mutate(deepcopy(node)):
                line = getattr(node, "lineno", first_line)
                found.append(Mutant(path.relative_to(ROOT), index, first_line, line, description))
    return found


def source(mutant: Mutant) -> str:
    """Return the file with the change."""
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    mutate(list(nodes(tree))[mutant.position][1])
    return ast.unparse(ast.fix_missing_locations(tree))


def run(copy: Path, *arguments: str, timeout: float | None = TIMEOUT) -> bool:
    """Return True if pytest passes in the copy with these arguments."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(copy), "COVERAGE_FILE": str(copy / ".coverage")}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environ, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    (copy / "output.txt").write_bytes(done.stdout[-3000:])
    return done.returncode == 0


def measure(copy: Path) -> CoverageData:
    """Run the tests once, and return which of them execute which lines. Exits if they fail."""
    coverage = ["--cov=mockvoice", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
    (copy / "lines.ini").write_text("[run]\n", encoding="utf-8")  # neither branches nor processes
    if not run(copy, *FAST, *coverage, "--cov-config=lines.ini", timeout=None):
        sys.exit(f"the tests fail without any change:\n{(copy / 'output.txt').read_text()}")
    data = CoverageData(str(copy / ".coverage"))
    data.read()
    return data


def tests_of(data: CoverageData, copy: Path, mutant: Mutant) -> list[str]:
    """Return the tests that execute the statement of a mutant, in random order."""
    contexts = data.contexts_by_lineno(str(copy / mutant.path)).get(mutant.first_line, [])
    tests = sorted({context.rpartition("|")[0] for context in contexts} - {""})
    return Random(0).sample(tests, min(MANY, len(tests)))


def survives(copy: Path, tests: list[str]) -> bool:
    """Return True if all tests pass; a few run before the others."""
    if not tests:
        return True
    if not run(copy, *tests[:FEW]):
        return False
    (copy / "tests.txt").write_text("\n".join(tests[FEW:]), encoding="utf-8")
    return len(tests) <= FEW or run(copy, "--hypothesis-profile=fast", "@tests.txt")


def change(copy: Path, mutant: Mutant, text: str) -> None:
    """Write a file of the copy, without the bytecode of its former text."""
    path = copy / mutant.path
    path.write_text(text, encoding="utf-8")
    Path(cache_from_source(str(path))).unlink(missing_ok=True)


def copy_of_checkout(copy: Path) -> Path:
    """Copy the checkout without what is installed in it; return the copy."""
    ignored = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "node_modules", "dist")
    shutil.copytree(ROOT, copy, ignore=ignored)
    return copy


def try_mutant(free: SimpleQueue[Path], mutant: Mutant, tests: list[str]) -> bool:
    """Return True if a mutant survives in one of the copies that are free; print the result."""
    copy = free.get()
    change(copy, mutant, source(mutant))
    survived = survives(copy, tests)
    change(copy, mutant, (ROOT / mutant.path).read_text(encoding="utf-8"))
    free.put(copy)
    word = f"SURVIVED {len(tests)} tests:" if survived else "killed"
    print(f"{word} {mutant.path}:{mutant.line}: {mutant.description}", flush=True)
    return survived


def main() -> int:
    """Run a random sample and print the share of killed mutants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=PACKAGES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    packages = [options.only] if options.only else PACKAGES
    possible = [mutant for package in packages for mutant in mutants(package)]
    chosen = Random(options.seed).sample(possible, min(options.sample, len(possible)))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies = [copy_of_checkout(Path(folder).resolve() / str(i)) for i in range(options.jobs)]
        data = measure(copies[0])
        tests = [tests_of(data, copies[0], mutant) for mutant in chosen]
        free = SimpleQueue[Path]()
        for copy in copies:
            free.put(copy)
        survived = [*pool.map(partial(try_mutant, free), chosen, tests)]
    killed = survived.count(False)
    print(f"{killed} of {len(chosen)} mutants killed, from {len(possible)} possible ones")
    return 0


if __name__ == "__main__":
    sys.exit(main())
