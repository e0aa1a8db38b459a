"""Source files as trees, each read and walked once for all the laws that look at it, and laws over many files."""

import ast
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

Law = Callable[[Path], None]


@cache
def tree_of(path: Path) -> ast.Module:
    """What a file of the project holds. Nobody may change the tree, and files do not change while tests run."""
    return ast.parse(path.read_text())


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of the file's tree, those of the outer levels first."""
    return tuple(ast.walk(tree_of(path)))


def forget() -> None:
    """Drop what was read, so that the trees of a thousand files do not burden the tests that follow."""
    nodes_of.cache_clear()
    tree_of.cache_clear()


def over(paths: Sequence[Path], root: Path) -> Callable[[Law], Callable[[], None]]:
    """Make one test of a law about a file: it asserts it of every file, and its message names each that breaks it."""

    def decorated(law: Law) -> Callable[[], None]:
        def of_every_file() -> None:
            assert paths
            broken: dict[str, str] = {}
            for path in paths:
                try:
                    law(path)
                except AssertionError as error:
                    broken[path.relative_to(root).as_posix()] = str(error)
            assert not broken, "\n".join(f"{file}: {told}" for file, told in broken.items())

        of_every_file.__name__, of_every_file.__doc__ = law.__name__, law.__doc__
        return of_every_file

    return decorated
