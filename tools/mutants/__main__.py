"""Lists the small faults that no test notices: `python launch.py test --mutants [words of a name | first-last ...]`.

Exit code 1 where more than two survive, or one cannot be tried because its text is no longer found or its tests fail
without it.
"""

import re
import sys
import tempfile
from pathlib import Path

from tools.mutants.mutation import Mutation, listed
from tools.mutants.trial import Copy, Outcome, tried

ROOT = Path(__file__).resolve().parents[2]
MOST_SURVIVORS = 2
RANGE = re.compile(r"\d+-\d+")


def main(words: list[str]) -> int:
    """Try the mutations that the words choose; all where no word is given."""
    chosen = picked(words)
    if not chosen:
        print(f"no mutation has one of these numbers, or words in its name: {' '.join(words)}")
        return 1
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        copy = Copy(ROOT, Path(place))
        if not _are_green(copy, chosen):
            return 1
        outcomes = []
        for number, outcome in enumerate(tried(copy, chosen), 1):
            outcomes.append(outcome)
            _tell(outcome, f"[{number}/{len(chosen)}]")
    survivors = [one for one in outcomes if one.verdict == "survived"]
    untried = [one for one in outcomes if one.verdict == "cannot be tried"]
    print(f"\n{len(outcomes)} tried: {len(outcomes) - len(survivors) - len(untried)} caught, "
          f"{len(survivors)} survived, {len(untried)} could not be tried")  # fmt: skip
    for one in survivors:
        print(f"  survived: {one.mutation.name} ({one.mutation.file})")
    return 1 if untried or len(survivors) > MOST_SURVIVORS else 0


def picked(words: list[str]) -> list[Mutation]:
    """The mutations whose name contains one of the words, or whose place in the list (from 1) lies in one of the ranges
    such as `1-20`; all where there is neither.
    """
    ranges = [tuple(map(int, word.split("-"))) for word in words if RANGE.fullmatch(word)]
    names = [word for word in words if not RANGE.fullmatch(word)]
    return [
        one
        for number, one in enumerate(listed(), 1)
        if not words
        or any(first <= number <= last for first, last in ranges)
        or any(word in one.name for word in names)
    ]


def _are_green(copy: Copy, chosen: list[Mutation]) -> bool:
    """Whether the tests pass without any mutation; otherwise everything would seem to be caught."""
    files = sorted({test for one in chosen for test in one.tests})
    print(f"the {len(files)} test files without a mutation ...", flush=True)
    code, printed = copy.run(files)
    if code:
        print(printed[-5000:])
        print("the tests fail without any mutation; mend them first")
    return code == 0


def _tell(outcome: Outcome, place: str) -> None:
    print(f"{place} {outcome.verdict}: {outcome.mutation.name} ({outcome.seconds:.0f} s)", flush=True)
    if outcome.verdict == "cannot be tried":
        print(outcome.told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
