"""Source files as trees, each of them read once for all the laws that look at it."""

import ast
from functools import cache
from pathlib import Path


@cache
def tree_of(path: Path) -> ast.Module:
    """What a file of the project holds. Nobody may change the tree, and files do not change while tests run."""
    return ast.parse(path.read_text())
