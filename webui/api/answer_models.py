"""The answers of A1111's routes as models. They describe; the routes themselves build plain data."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

Base64 = Field(description="a file in base64, without a prefix")


class Open(BaseModel):
    """An object that may have further keys."""

    model_config = ConfigDict(extra="allow")


class Nothing(RootModel[None]):
    """null."""


class Empty(BaseModel):
    """An object without keys."""


class GenerationAnswer(BaseModel):
    """Pictures, in order: the grid where there is one, each picture, what extensions show."""

    images: list[str] = Field(description="files in base64, without a prefix")
    parameters: dict[str, Any] = Field(description="the request with every default filled in")
    info: str = Field(description="JSON as text: seeds, prompts, infotexts and facts of the model")


class ExtraSingleAnswer(BaseModel):
    """An enlarged picture."""

    html_info: str
    image: str = Base64


class ExtraBatchAnswer(BaseModel):
    """Enlarged pictures."""

    html_info: str
    images: list[str]


class PngInfoAnswer(BaseModel):
    """What a picture says of itself."""

    info: str = Field(description="the generation parameters; empty where there are none")
    items: dict[str, Any] = Field(description="other entries of its metadata")
    parameters: dict[str, Any] = Field(description="the parameters, read")


class ProgressState(BaseModel):
    """Where the job in work stands."""

    skipped: bool
    interrupted: bool
    stopping_generation: bool
    job: str
    job_count: int
    job_timestamp: str
    job_no: int
    sampling_step: int
    sampling_steps: int


class ProgressAnswer(BaseModel):
    """Progress of the job in work; all 0 where there is none."""

    progress: float = Field(ge=0, le=1)
    eta_relative: float
    state: ProgressState
    current_image: str | None = Base64
    textinfo: str | None


class TaskProgress(BaseModel):
    """Progress of a named job."""

    active: bool
    queued: bool
    completed: bool
    progress: float | None
    eta: float | None
    live_preview: str | None = Field(description="a data: address")
    id_live_preview: int
    textinfo: str | None


class PendingTasks(BaseModel):
    """The jobs that wait."""

    size: int
    tasks: list[str]


class Hint(BaseModel):
    """A setting for the row above the page."""

    name: str
    label: str


class Caption(BaseModel):
    """A description of a picture."""

    caption: str


class Maps(BaseModel):
    """Pictures that a preprocessor drew."""

    info: str
    images: list[str] = Field(default_factory=list)


class NetworkMetadata(BaseModel):
    """What a file says of itself, as JSON in a text; nothing where there is no such file."""

    metadata: str | None = None


class CardHtml(BaseModel):
    """A card of the page."""

    html: str


class State(BaseModel):
    """How the server is."""

    status: str


class JobMade(BaseModel):
    """A job that was taken on."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"] | str


class JobAnswer(Open):
    """A job, as far as it is."""

    id: str
    state: str
    progress: dict[str, Any] | None = Field(description="null of a job that is no longer in memory")
    error: str | None


class QueueAnswer(BaseModel):
    """The queue as a whole; `reason` says why no further job is begun."""

    paused: bool
    reason: str
    running: int
    waiting: int
    held: int


class JobsAnswer(BaseModel):
    """The jobs that have not ended, in their order, and a page of those that have, the newest first."""

    queue: QueueAnswer
    jobs: list[JobAnswer]
    ended: list[JobAnswer]
    before: int | None = Field(description="asks for the next page; null where this one is empty")


class JobDeleted(BaseModel):
    """A job that is forgotten."""

    id: str


class ImageData(BaseModel):
    """One picture."""

    b64_json: str | None = None
    url: str | None = None


class ImagesAnswer(BaseModel):
    """The pictures."""

    created: int
    data: list[ImageData]


class Options(RootModel[dict[str, Any]]):
    """Settings: A1111's names and their values."""


class FailedPicture(BaseModel):
    """A picture of a batch that came to nothing."""

    name: str
    reason: str


class OutlookAnswer(BaseModel):
    """What a job is expected to need of the device's memory; sizes in bytes."""

    device: str
    total: int = Field(description="for networks and what they compute; 0 where networks stay where they are")
    free: int = Field(description="of it, or of main memory, now; 0 where nobody tells")
    weights: int = Field(description="of all networks of the request together")
    latents: int
    sampling: int = Field(description="computed beside the weights while the network is asked")
    decoding: int = Field(description="computed while a picture is decoded")
    needs: int = Field(description="at once, at most")
    loads: int = Field(description="weights that are read from files first")
    leaves: list[str] = Field(description="networks that leave the device for it")
    streams: int = Field(description="weights that come to the device anew for each call of the network")
    fits: bool


class BatchAnswer(BaseModel):
    """A batch of pictures; what it came to is null until it ends."""

    id: str
    state: str
    title: str = Field(description="the name of the folder")
    done: int = Field(description="pictures that are dealt with")
    count: int
    fraction: float
    job: str | None = Field(description="the job of the picture in work")
    made: int | None = Field(description="results")
    skipped: int | None = Field(description="pictures whose results were there already")
    failed: list[FailedPicture] | None
    interrupted: bool
    error: str | None
    notices: list[dict[str, str]]
