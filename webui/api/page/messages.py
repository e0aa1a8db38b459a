"""What page and server say to each other, as types: the events of the stream, and bodies and answers of the commands.

Addresses (`url`, `thumb`, `preview`) are relative to the page's own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RowState = Literal["waiting", "running", "held", "done", "stopped", "failed"]

LONGEST_ID = 200  # characters of the id of a job or a picture


class Message(BaseModel):
    """Plain data that never changes; what a client sends beyond the fields is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ShownPicture(Message):
    """A picture of a job. One that is told of is the newest, unless its id is known already.

    Attributes:
        id: the job's id, a slash, `index`.
        index: its place in the job.
        url: of the very file that was saved; of one with the same contents where none was.
        thumb: of a JPEG of at most 320 pixels a side.
        width, height: pixels; 0 where nobody knows.
        seed: None where the picture has none, such as one that was only enlarged.
        text: its generation parameters; "" where there are none.
        kind: as that of its job.
        created: seconds since the epoch.
        grid: whether it shows other pictures of the job in rows.
    """

    id: str
    job: str
    index: int
    url: str
    thumb: str
    width: int
    height: int
    seed: int | None
    text: str
    kind: str
    created: float
    grid: bool = False


class JobRow(Message):
    """A job as the list of jobs shows it.

    Attributes:
        kind: `txt2img`, `img2img`, `inpaint`, `extras`, `experiment`, `batch` (whose pictures are jobs of their own,
            and stand in the list too), or the name of an action of an extension.
        title: the prompt, or what is done.
        facts: the size and so on, in a few words; "" where there is nothing to say.
        mine: whether the reader of the stream has sent it.
        position: how many jobs must end before its turn; None where it does not wait.
        reason: why it is held, waits although its turn may have come, or failed; "" otherwise.
        pictures: how many there are.
        expected: how many there will be; 0 where nobody knows.
        thumb: the address of its newest picture made small, or else of one that it starts from; None: there is none.
        created: seconds since the epoch.
        forever: whether another of its kind follows when it has ended.
        notices: what the user should know beside its pictures.
        plot: the id of the plot that an experiment makes; None: it is no experiment, or one that is not kept.
        extras: how many pictures extensions made beside them, such as detected maps; each is at
            `internal/page/jobs/<id>/extras/<number>`, counted from 0, while the job is in memory.

    A job that was not listed before comes to the end of the list; `JobsOrder` follows where its place is another.
    """

    id: str
    kind: str
    title: str
    facts: str
    state: RowState
    mine: bool
    position: int | None
    reason: str
    pictures: int
    expected: int
    thumb: str | None
    created: float
    forever: bool
    notices: tuple[str, ...] = ()
    extras: int = 0
    plot: str | None = None


class MemoryFacts(Message):
    """What lies on the device while a job runs; sizes are in bytes.

    Attributes:
        used: by weights, of `budget`, where there is a limit (else 0).
        needs: what the job is expected to need at once; `moved` what was moved for it so far.
        networks: the names of those that are there, in part or as a whole.
    """

    device: str
    used: int
    budget: int
    needs: int
    moved: int
    networks: tuple[str, ...]


class JobProgressed(Message):
    """How far a running job is.

    Attributes:
        fraction: share of the whole job, 0..1.
        step, steps: of the batch in work; both 0 where there are no steps.
        phase: `loading`, `sampling` and so on, or what an action says that it does.
        image, images: number of the (first) picture in work, counted from 1, of so many; both 0 for an action.
        seconds_left: until the job is done; None where nobody knows.
        preview: the address of the latest estimate, another one for each; None: there is none.
        network: how the network was called last; "" where nothing is done for its speed.
        memory: of the device; None where networks do not leave it.
    """

    id: str
    fraction: float
    step: int
    steps: int
    phase: str
    image: int
    images: int
    seconds_left: float | None
    preview: str | None
    memory: MemoryFacts | None = None
    network: str = ""


class CellFacts(Message):
    """A cell of an experiment, as it is now.

    Attributes:
        at: its place along x, y and z.
        picture, thumb: addresses of its picture and of a small one; None: there is none.
        infotext: generation parameters; "" where there is no picture.
        error: why there is none although it was tried.
    """

    at: tuple[int, int, int]
    state: Literal["empty", "running", "there", "failed"]
    picture: str | None = None
    thumb: str | None = None
    infotext: str = ""
    error: str = ""


class CellTold(CellFacts):
    """A cell of an experiment has changed."""

    job: str
    plot: str | None


class WholeState(Message):
    """All that a page shows of jobs; the first event of every stream, and again where a reader was too slow.

    Attributes:
        server: another one after each start of the program.
        paused: whether no further job is begun; `reason` says why.
        jobs: those that run, wait or are held, in their order, then the last ones that ended, the newest first.
        history: pictures, the newest first.
        more: whether there are older ones.
        forever: whether the reader generates forever.
    """

    server: str
    paused: bool
    reason: str
    jobs: tuple[JobRow, ...]
    history: tuple[ShownPicture, ...]
    more: bool
    forever: bool


class JobsOrder(Message):
    """The order of all jobs, as in the state."""

    ids: tuple[str, ...]


class JobGone(Message):
    """A job is no longer listed."""

    id: str


class QueuePaused(Message):
    """Whether no further job is begun, and why."""

    paused: bool
    reason: str


class ForeverSet(Message):
    """Whether the reader generates forever."""

    on: bool


Event = WholeState | JobRow | JobsOrder | JobGone | QueuePaused | JobProgressed | ShownPicture | ForeverSet | CellTold

EVENT_NAMES: Mapping[type[Event], str] = MappingProxyType(
    {
        WholeState: "state",
        JobRow: "job",
        JobsOrder: "order",
        JobGone: "gone",
        QueuePaused: "paused",
        JobProgressed: "progress",
        ShownPicture: "picture",
        ForeverSet: "forever",
        CellTold: "cell",
    }
)


def sse(event: Event) -> str:
    """The event as server-sent events write it: its name and one line of JSON."""
    return f"event: {EVENT_NAMES[type(event)]}\ndata: {event.model_dump_json()}\n\n"


class MoveCommand(Message):
    """Put a job before another one that waits or is held; None: behind all."""

    before: str | None = Field(None, max_length=LONGEST_ID)


class PauseCommand(Message):
    """Begin no further job."""

    reason: str = Field("", max_length=300, description="shown to everybody whose job waits; may be empty")


class ForeverCommand(Message):
    """Generate forever, or no longer."""

    on: bool


class JobParameters(Message):
    """What fills a form so that it asks for a job again.

    Attributes:
        text: generation parameters; "" where the job makes no pictures of a prompt.
        batch_size, n_iter: no text says how many pictures there are to be; None where it is not known any more.
        styles: their names, as far as the text does not contain them.
        source: the address of the picture that it starts from; None: there is none.
    """

    text: str
    batch_size: int | None = None
    n_iter: int | None = None
    styles: tuple[str, ...] = ()
    source: str | None = None


class HistoryPage(Message):
    """Older pictures, the newest first, and whether there are older ones still."""

    pictures: tuple[ShownPicture, ...]
    more: bool


def picture_id(job_id: str, index: int) -> str:
    """The id of a picture of a job."""
    return f"{job_id}/{index}"


def split_picture_id(text: str) -> tuple[str, int] | None:
    """Job and index of a picture's id; None where it is none."""
    job_id, slash, number = text.rpartition("/")
    is_number = number.isascii() and number.isdigit() and len(number) <= 9
    return (job_id, int(number)) if slash and job_id and is_number else None


def picture_urls(job_id: str, index: int) -> dict[str, Any]:
    """The two addresses of a picture, as fields of `ShownPicture`."""
    url = f"internal/page/jobs/{job_id}/pictures/{index}"
    return {"url": url, "thumb": f"{url}/thumb"}
