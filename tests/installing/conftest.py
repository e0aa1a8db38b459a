"""Fixtures of the tests of installing."""

from tests.forked_describing import forked_describing

__all__ = ["forked_describing"]
