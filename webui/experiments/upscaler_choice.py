"""An upscaler as an argument of a script: clients send its name in any case, or its number in the list."""

from collections.abc import Sequence

from webui.experiments.script import refused


def chosen_upscaler(given: str | int, known: Sequence[str], position: int) -> str:
    """The upscaler that is meant. Raises BadRequestError, naming the argument at `position`."""
    if isinstance(given, int):
        if 0 <= given < len(known):
            return known[given]
        raise refused(position, f"there are {len(known)} upscalers, counted from 0")
    found = next((name for name in known if name.lower() == given.lower()), None)
    if found is None:
        raise refused(position, f"there is no upscaler {given!r}; there are {', '.join(known)}")
    return found
