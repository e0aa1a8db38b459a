"""Going on where memory runs out: an attempt is made again, each time after something was done that makes it need less.

The tensors of a failed attempt are held by the frames in its error's traceback. They are let go of before the next one
begins, or it would have no more room than the last.
"""

import ctypes
import gc
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import torch

from webui.domain.errors import MemoryShortError

T = TypeVar("T")

log = logging.getLogger(__name__)

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


@dataclass(frozen=True, slots=True)
class Rung:
    """What may be done before another attempt.

    Attributes:
        told: what it does, to stand after "memory ran out while sampling; " in a sentence.
        climb: does it; False where it changes nothing, so that another attempt would end as the last.
    """

    told: str
    climb: Callable[[], bool]


CACHES_EMPTIED = Rung("caches were emptied", lambda: True)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory. Allocators of the CPU and of mps raise plain RuntimeErrors."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def with_recovery(
    attempt: Callable[[], T],
    ladder: Iterable[Rung],
    *,
    work: str,
    lower: str,
    told: Callable[[str], None] = lambda text: None,
) -> T:
    """The result of an attempt, which is made again after each rung while memory runs out.

    Args:
        attempt: may be called several times.
        work: what is attempted, as in "memory ran out while <work>".
        lower: what the user can make smaller, a half sentence.
        told: hears of an attempt that went well after one that did not, in a sentence.

    Raises:
        MemoryShortError: there is no rung left.
    """
    done: list[str] = []
    rungs = iter(ladder)
    while True:
        try:
            made = attempt()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            reason = (str(error).splitlines() or ["no reason given"])[0][:200]
            let_go(error)
        else:
            if done:
                told(f"memory ran out while {work}; {' and '.join(done)}")
            return made
        # after the handler, because until then the error is kept
        log.warning("memory ran out while %s (%s)", work, reason)
        give_memory_back()
        rung = next((one for one in rungs if one.climb()), None)
        if rung is None:
            tried = f", although {' and '.join(done)}" if done else ""
            raise MemoryShortError(f"memory ran out while {work}{tried}; {lower}")
        done.append(rung.told)


def let_go(error: BaseException) -> None:
    """Clear what the frames of an error hold, and those of the errors that it came from, whoever keeps the errors."""
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        one = chain.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        one.__traceback__ = None
        chain += [one.__cause__, one.__context__]


def give_memory_back(*, search: bool = True) -> None:
    """Return freed memory to the system and the GPU driver, because allocators would keep it.

    Args:
        search: for garbage first, which may hold memory; that takes tenths of a second.
    """
    if search:
        gc.collect()
    for backend, is_there in ((torch.cuda, torch.cuda), (torch.xpu, torch.xpu), (torch.mps, torch.backends.mps)):
        if is_there.is_available():
            backend.empty_cache()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no malloc_trim; the memory then stays with the allocator
            ctypes.CDLL("libc.so.6").malloc_trim(0)
