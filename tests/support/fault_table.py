"""Tables of the reference system's faults name the tests that show ours has not got them; here those names are looked up."""

import ast
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]

Faults = tuple[tuple[str, str, tuple[str, ...]], ...]
"""The section of its study, what goes wrong there, the tests here: a file below `tests`, two colons, the function."""


def named_in(faults: Faults) -> list[str]:
    """The tests that a table names, each once."""
    return sorted({test for _, _, tests in faults for test in tests})


def exists(named: str) -> bool:
    """Whether there is a test of that name at the top of that file."""
    file, name = named.split("::")
    return name in _tests_of(file)


@cache
def _tests_of(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
