"""Makes the images of a batch from its latents: decodes them, lets extensions edit them, puts back what a mask
protects, and writes the infotext.
"""

from collections.abc import Iterator
from dataclasses import replace

from PIL import Image
from torch import Tensor

from webui.domain.result import GeneratedImage
from webui.output.infotext import InfoFacts, write
from webui.plugins.jobhooks import JobHooks
from webui.processing.batches import Made
from webui.processing.decode import check_finite, decode
from webui.processing.plan import Batch, Plan, image_request, of_image
from webui.processing.reporting import RunReport
from webui.processing.start import Start


def finished(
    made: Made,
    plan: Plan,
    batch: Batch,
    facts: InfoFacts,
    start: Start | None,
    hooks: JobHooks,
    report: RunReport,
    *,
    tiled: bool,
) -> Iterator[GeneratedImage]:
    """The images of a batch, one after another.

    Args:
        plan: of the whole job.
        facts: what the infotexts of all images of the job say.
        start: the pictures that an img2img job started from.
        tiled: decode in tiles, which takes less memory.

    Raises:
        NotFiniteError: the latents hold NaN or infinity.
    """
    check_finite(made.latents, facts.model.checkpoint, plan.request.steps)
    first = batch.first

    def edited(pixels: Tensor, position: int) -> Tensor:
        return hooks.edit_pixels(pixels, first + position)

    with report.timed("decoding", batch.index):
        pictures = decode(made.latents, made.model, tiled=tiled, edit=edited)
    facts = replace(facts, padded=made.padded, blank_mask=start is not None and start.is_blank)
    for position, picture in enumerate(pictures):
        index, subseed = first + position, batch.subseeds[position]
        picture = hooks.edit_image(picture, index)
        beside: tuple[Image.Image, ...] = ()
        if start is not None:  # after the extensions, so that they do not change what a mask protects
            picture, beside = start.finish(picture, position, made.latents[position])
        request = image_request(of_image(plan, batch.texts[position]), batch.seeds[position], subseed, position)
        own = replace(facts, subseed=subseed, extra=hooks.fields(index), ti_hashes=made.ti_hashes[position])
        text = write(request, own)
        words = hooks.file_words(index)
        yield GeneratedImage(picture, request, text, index, subseed, attachments=beside, words=words)
