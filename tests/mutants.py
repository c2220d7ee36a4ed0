"""Mutation testing: `make mutants`, or `python -m tests.mutants --sample 20 --only faults`.

Each mutant changes one expression or statement of a random sample, in a copy of the checkout. It is
killed if a test fails or takes too long. Survivors are printed: each shows a missing test, or a
change that makes no difference.

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
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

# The fast tests of each package. The closest ones come first, because the first failure decides.
TESTS = {
    "faults": ["faults/test_rules.py", "faults/test_kinds.py", "faults/test_injection.py"],
    "state": ["state", "journal", "test_accounts.py", "test_sandboxes.py", "control"],
    "http": ["http", "fuzz/test_multipart.py", "journal", "test_accounts.py", "contract"],
    "openapi": ["openapi", "contract", "config/test_file.py"],
    "providers": ["providers", "test_accounts.py"],
}
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
    """One change of one file: the node at this position of `ast.walk`."""

    path: Path
    position: int
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


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes inside functions, without annotations and decorators."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue  # walked by itself
                for node in ast.walk(statement):
                    if not isinstance(node, ast.AnnAssign):
                        yield node


def mutants(package: str) -> list[Mutant]:
    """Return all mutants of a package."""
    found = []
    for path in sorted((ROOT / "mockvoice" / package).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for index, node in enumerate(nodes(tree)):
            if description := mutate(deepcopy(node)):
                line = getattr(node, "lineno", 0)
                found.append(Mutant(path.relative_to(ROOT), index, line, description))
    return found


def source(mutant: Mutant) -> str:
    """Return the file with the change."""
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    mutate(list(nodes(tree))[mutant.position])
    return ast.unparse(ast.fix_missing_locations(tree))


def passes(copy: Path, package: str) -> bool:
    """Return True if the tests of the package pass in the copy."""
    tests = [f"tests/{name}" for name in TESTS[package]]
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["-m", "not slow and not network", *tests]
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environ, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> int:
    """Run a random sample and print the share of killed mutants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=TESTS)
    parser.add_argument(
        "--seconds", type=float, default=1e9, help="start no mutant after this time"
    )
    options = parser.parse_args()
    packages = [options.only] if options.only else [*TESTS]
    pool = [(package, mutant) for package in packages for mutant in mutants(package)]
    chosen = Random(options.seed).sample(pool, min(options.sample, len(pool)))
    begin, results = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignored = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "dist")
        shutil.copytree(ROOT, copy, ignore=ignored)
        checked = set[str]()
        for package, mutant in chosen:
            if time.monotonic() - begin > options.seconds:
                break
            if package not in checked and not passes(copy, package):
                print(f"the tests of {package} fail without any change")
                return 2
            checked.add(package)
            (copy / mutant.path).write_text(source(mutant), encoding="utf-8")
            survived = passes(copy, package)
            shutil.copy(ROOT / mutant.path, copy / mutant.path)
            results.append(survived)
            word = "SURVIVED" if survived else "killed"
            print(f"{word} {mutant.path}:{mutant.line}: {mutant.description}", flush=True)
    killed = results.count(False)
    print(f"{killed} of {len(results)} mutants killed, from {len(pool)} possible ones")
    return 0


if __name__ == "__main__":
    sys.exit(main())
