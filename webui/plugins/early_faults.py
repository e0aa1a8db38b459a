"""Which extensions fail jobs before their work, again and again."""

from collections.abc import Iterable


class EarlyFaults:
    """Which extensions have failed the last job that they were in, before its work.

    The first such fault fails the job, so that the user decides. One that then fails the next job as well, though no
    request names it, would fail every job of everybody, and is left out of them with a notice instead.
    """

    def __init__(self) -> None:
        self._failed: set[str] = set()

    def is_repeated(self, extension: str) -> bool:
        """Note a fault; whether the one before it was in the job before."""
        repeated = extension in self._failed
        self._failed.add(extension)
        return repeated

    def forget(self, extensions: Iterable[str]) -> None:
        """These have come through the beginning of a job."""
        self._failed -= set(extensions)
