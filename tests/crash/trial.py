"""A trial: jobs are done while workers and servers are killed, and then every picture is looked for."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from tests.crash.quick_back import shown
from tests.crash.server import DATABASE, HELD, PICTURES
from tests.executors.watching import pids
from webui.jobs.store import JobStore

ROOT = Path(__file__).parents[2]
LONGEST = 600.0  # seconds
Victim = Literal["worker", "server"]


@dataclass
class Findings:
    """What a trial came to; every list should be empty but for `held`, which tells jobs that killed two workers.

    Attributes:
        kills: how often each victim was really killed.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def is_well(self) -> bool:
        return not (self.lost or self.doubled or self.half_written or self.wrong or self.failed)

    def __str__(self) -> str:
        counts = ", ".join(
            f"{len(getattr(self, name))} {name.replace('_', '-')}"
            for name in ("lost", "doubled", "half_written", "wrong", "failed")
        )
        return f"{counts}; {len(self.held)} held and tried again; killed: {dict(self.kills)}"


class Trial:
    """Runs the server again and again until it has done all jobs."""

    def __init__(
        self, folder: Path, jobs: int, *, module: str = "tests.crash.server", pictures: int = PICTURES
    ) -> None:
        """
        Args:
            module: what the server's process does.
            pictures: how many each job makes.
        """
        self.folder = folder
        self.jobs = jobs
        self._module = module
        self._pictures = pictures
        self.kills: Counter[str] = Counter()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def files(self) -> list[Path]:
        """The pictures that are there."""
        return sorted((self.folder / "outputs").rglob("*.png"))

    def run(self, moments: Iterable[tuple[float, Victim]]) -> Findings:
        """Kill a victim at each moment, and look for every picture at the end."""
        self.kill_at(moments)
        return self._findings()

    def kill_at(self, moments: Iterable[tuple[float, Victim]]) -> None:
        """Kill a victim at each moment, and wait for the end; a moment is a share of the pictures that are there."""
        self._start()
        try:
            for share, victim in moments:
                self._until(share)
                self._kill(victim)
            self._until(None)
        finally:
            if self._server is not None:
                self._server.kill()
                self._server.wait()

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.crash.process", self._module, str(self.folder), str(self.jobs)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def _until(self, share: float | None) -> None:
        """Wait until so many pictures are there; None: until the server has done all."""
        end = time.monotonic() + LONGEST
        while True:
            assert time.monotonic() < end, (self.folder / "log").read_text()[-4000:]
            code = self._server.poll() if self._server is not None else None
            if code == 0 or (share is not None and len(self.files) >= share * self.jobs * self._pictures):
                return
            if code is not None:
                assert code == -signal.SIGKILL, (self.folder / "log").read_text()[-4000:]
                self._start()
            time.sleep(0.005)

    def _kill(self, victim: Victim) -> None:
        assert self._server is not None
        if victim == "server":
            if self._server.poll() is None:
                self._server.kill()
                self._server.wait()
                self.kills[victim] += 1
                self._start()
            return
        if known := pids(self.folder):
            with suppress(ProcessLookupError):
                os.kill(known[-1], signal.SIGKILL)
                self.kills[victim] += 1

    def _findings(self) -> Findings:
        found = Findings(kills=self.kills)
        held = self.folder / HELD
        found.held = held.read_text().splitlines() if held.exists() else []
        store = JobStore(self.folder / DATABASE)
        known: Counter[str] = Counter()
        for number in range(self.jobs):
            name = f"job-{number}"
            job, images = store.job(name), store.images_of(name)
            if job is None or job.state != "done":
                found.failed.append(f"{name}: {job.state if job else 'unknown'} {job.error if job else ''}")
            places = Counter(image.position for image in images)
            found.lost += [f"{name}, picture {place}" for place in range(PICTURES) if not places[place]]
            found.doubled += [f"{name}, picture {place}" for place, count in places.items() if count > 1]
            seeds = {image.seed - image.position for image in images}
            if len(seeds) > 1:
                found.wrong.append(f"{name}: seeds do not follow each other")
            for image in images:
                known[image.path] += 1
                self._look_at(Path(image.path), image.seed, found)
        store.close()
        found.doubled += [f"{path} belongs to two pictures" for path, count in known.items() if count > 1]
        found.doubled += [f"{path} belongs to none" for path in map(str, self.files) if path not in known]
        return found

    def _look_at(self, path: Path, seed: int, found: Findings) -> None:
        try:
            with Image.open(path) as opened:
                opened.load()
                if f"Seed: {seed}," not in opened.info.get("parameters", ""):
                    found.wrong.append(f"{path}: another text")
                if (np.asarray(opened) != np.asarray(shown(seed))).any():
                    found.wrong.append(f"{path}: another picture")
        except FileNotFoundError:
            found.lost.append(str(path))
        except (OSError, SyntaxError):
            found.half_written.append(str(path))
