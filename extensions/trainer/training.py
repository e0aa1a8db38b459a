"""The action: from options to a trained file, in a folder from which it can go on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from pydantic import JsonValue

from webui.extension_api import (
    ActionContext,
    ActionResult,
    BadRequestError,
    Cancelled,
    UnusableFileError,
)
from webui.extension_api.tensors import LoadedModel

from .buckets import square
from .cached_latents import LatentCache, TrainedPicture, digest_of, looked_at
from .encoded_texts import TextCache, TextEncoding
from .folders import chosen, pictures
from .options import TrainOptions
from .run_folders import RunFolder, State, known_run, read_state, run_folder, save_state
from .run_reports import LossCurve, RunReport
from .sample_order import Order
from .sample_pictures import samples
from .trained_adapters import AdapterNetworks
from .trained_files import FileWriter
from .trained_words import NewWord
from .training_loop import Lesson, TrainingLoop
from .whole_network import WholeNetwork

_SAMPLE_STEP = 64  # pixels of which sides of samples are multiples


def train(options: TrainOptions, context: ActionContext) -> ActionResult:
    """Begin a run, or go on with one.

    Raises:
        BadRequestError: something named is not there, or a name is taken.
        UnusableFileError: a picture or the checkpoint cannot be used.
        Cancelled: stopped before the first step; nothing is left behind.
    """
    folder = known_run(context, options.resume) if options.resume else _new(options, context)
    options = folder.options() if options.resume else options
    if folder.is_there and folder.told().get("state") == "done":
        raise BadRequestError("resume", f"the run {folder.name} is done; remove it, or give a new run another name")
    is_new = not folder.is_there
    try:
        run = _prepared(options, context, folder)
        return _trained(run, context)
    except BaseException:
        if is_new and not folder.state_file.is_file():
            folder.remove()
        raise


@dataclass
class _Run:
    """A run that is ready for its next step."""

    options: TrainOptions
    folder: RunFolder
    model: LoadedModel
    trainee: AdapterNetworks | NewWord | WholeNetwork
    encoding: TextEncoding
    loop: TrainingLoop
    report: RunReport
    writer: FileWriter
    steps: int


def _new(options: TrainOptions, context: ActionContext) -> RunFolder:
    """The folder of a new run, which is not made yet. Raises BadRequestError."""
    for name, value in (("base", options.base), ("data_set", options.data_set), ("output", options.output)):
        if not value:
            raise BadRequestError(name, "is missing: training needs a checkpoint, a data set and a name")
    folder = run_folder(context, options.output)
    if folder.is_there:
        raise BadRequestError(
            "output", f"there is a run {options.output!r}: go on with it, remove it, or take another name"
        )
    return folder


def _prepared(options: TrainOptions, context: ActionContext, folder: RunFolder) -> _Run:
    """Read what a run needs, encode its pictures, and put it where it was."""
    was_written = folder.is_there and folder.told().get("state") == "saving"
    path = FileWriter.path_of(options, context, may_be_there=was_written)
    spec = context.models.spec(options.base)
    if spec.shown_channels or spec.depth or spec.family.refines:
        raise UnusableFileError(
            f"{options.base}: takes more than text (a mask, a picture, depth) or refines; choose one that makes "
            "pictures from text"
        )
    items = pictures(chosen(context, options.data_set))
    if not items:
        raise BadRequestError(
            "data_set", f"{options.data_set}: no picture in it; put some into a folder such as 10_cat"
        )
    known = looked_at(items, options, _stopping(context, len(items), "looking at"))
    size = options.batch_size * options.accumulation
    order = Order([one.fit.bucket for one in known], [one.item.repeats for one in known], size, options.seed)
    steps = options.steps or options.epochs * order.steps_of_epoch
    if not folder.is_there:
        folder.begin(options, steps, digest_of(known))
    elif folder.told().get("pictures") != digest_of(known):
        raise BadRequestError(
            "data_set",
            f"{options.data_set}: pictures or captions have changed since the run {folder.name} began; put them back, "
            "or begin a run of another name",
        )
    context.can_go_on({"resume": folder.name}, folder.told().get("step", 0))
    report = RunReport(context, folder.name, steps, order.steps_of_epoch, len(known), _bucket_rows(known))
    report.tell("caching")
    model = context.models.read_checkpoint(options.base, context.device, _format(options, context))
    latents = LatentCache(model, folder.path / "latents")
    _cache(latents, known, options, context)
    trainee = _trainee(model, options)
    encoding = TextEncoding(
        model.text, clip_skip=options.clip_skip, most=options.caption_chunks,
        vectors=trainee.vectors if isinstance(trainee, NewWord) else (),
    )  # fmt: skip
    texts = encoding if trainee.trains_text else TextCache(encoding, folder.path / "texts")
    said: Callable[[str], str] = trainee.said if isinstance(trainee, NewWord) else str
    loop = TrainingLoop(Lesson(model, options, known, latents, texts, trainee, order, steps, said))
    if (found := read_state(folder)) is not None:
        tensors, plain = found
        loop.go_on(tensors, plain)
        report.curve = LossCurve(**plain["curve"])
        report.step = loop.step
    writer = FileWriter(options, context, model, trainee, known, path, order.steps_of_epoch, steps, was_written)
    return _Run(options, folder, model, trainee, encoding, loop, report, writer, steps)


def _trained(run: _Run, context: ActionContext) -> ActionResult:
    """Do the steps that are left."""
    options, report, loop = run.options, run.report, run.loop
    if context.stopped() and not loop.step:
        raise Cancelled("stopped before the first step; nothing was kept")
    report.tell("training")
    for step, loss, rate, seconds in loop.steps():
        report.stepped(step, loss, rate, seconds)
        if step == run.steps:
            break
        if options.sample_every and step % options.sample_every == 0:
            _draw_samples(run, context)
        if options.files_every and step % options.files_every == 0:
            run.writer.write(step, version=True)
        if context.stopped():
            _save(run, "paused")
            return _paused(run, f"Paused at step {step} of {run.steps}; go on with the run {run.folder.name}.")
        if options.share == "between" and context.others_wait():
            _save(run, "paused")
            text = f"Others wait; the run {run.folder.name} goes on behind them from step {step} of {run.steps}."
            return _paused(run, text)
        if step % options.save_every == 0:
            _save(run, "training")
    _draw_samples(run, context)
    _save(run, "saving")
    file = run.writer.write(loop.step)
    report.output = file.name
    run.folder.note("done", step=loop.step, output=file.name)
    report.tell("done")
    data: dict[str, JsonValue] = {"run": run.folder.name, "output": file.name, "step": loop.step, "state": "done"}
    loss = report.curve.average or 0.0
    return ActionResult(f"Trained {file.name} in {run.steps} steps; average loss {loss:.4f}.", files=(file,), data=data)


def _save(run: _Run, state: State) -> None:
    """Write a checkpoint of the run, and note its state."""
    run.report.tell("saving")
    tensors, plain = run.loop.state()
    save_state(run.folder, tensors, {**plain, "curve": run.report.curve.told()})
    run.folder.note(state, step=run.loop.step)
    run.report.context.can_go_on({"resume": run.folder.name}, run.loop.step)
    run.report.tell(state)


def _paused(run: _Run, text: str) -> ActionResult:
    """What is left is done by the same job, when its turn comes again; one that the user has stopped is over."""
    data: dict[str, JsonValue] = {"run": run.folder.name, "output": "", "step": run.loop.step, "state": "paused"}
    return ActionResult(text, data=data, again={"resume": run.folder.name})


def _draw_samples(run: _Run, context: ActionContext) -> None:
    """Draw the sample prompts; they are told, and kept in the run's folder."""
    options = run.options
    if not options.prompts:
        return
    run.report.tell("sampling")
    size = square(options.resolution, _SAMPLE_STEP)
    place = run.folder.path / "samples"
    place.mkdir(exist_ok=True)

    for number, picture in samples(run.model, options, run.encoding.of, size, context.stopped):
        picture.save(place / f"{run.loop.step:08d}-{number}.png")
        run.report.sample(run.loop.step, number, picture)


def _trainee(model: LoadedModel, options: TrainOptions) -> AdapterNetworks | NewWord | WholeNetwork:
    if options.is_low_rank:
        return AdapterNetworks(model, options)
    return NewWord(model, options) if options.method == "textual_inversion" else WholeNetwork(model, options)


def _format(options: TrainOptions, context: ActionContext) -> torch.dtype:
    """Numbers of the networks: float32 on a CPU and where they are trained, else bfloat16."""
    is_exact = context.device.type == "cpu" or options.method == "finetune"
    return torch.float32 if is_exact else torch.bfloat16


def _cache(latents: LatentCache, known: list[TrainedPicture], options: TrainOptions, context: ActionContext) -> None:
    before = _stopping(context, len(known), "encoding")
    for number, one in enumerate(known):
        before(number, one.item.path.name)
        for mirrored in (False, True) if options.flip else (False,):
            latents.of(one, mirrored=mirrored)


def _stopping(context: ActionContext, total: int, word: str) -> Callable[[int, str], None]:
    def before(done: int, name: str) -> None:
        if context.stopped():
            raise Cancelled("stopped before the first step; nothing was kept")
        context.progress(done, total, f"{word} {name}")

    return before


def _bucket_rows(known: list[TrainedPicture]) -> list[list[int]]:
    counts = Counter(one.fit.bucket for one in known)
    return [[bucket.width, bucket.height, counts[bucket]] for bucket in sorted(counts)]
