"""The grid of a job's images: whether there is one, and what A1111 says of it."""

from dataclasses import replace

from webui.api.sdapi.dialect.file_options import GridRules
from webui.domain.result import GeneratedImage, GenerationResult
from webui.imaging.grids import grid_of, row_count

LARGEST = 200_000_000  # pixels, as in A1111


def grid_image(result: GenerationResult, rules: GridRules) -> GeneratedImage | None:
    """The grid with the first image's text; None where the rules ask for none, or it would be too large."""
    images = result.images
    if not images or not (rules.returned or rules.saved) or (rules.only_of_several and len(images) < 2):
        return None
    rows = row_count(
        len(images), rows=rules.rows, batch_size=result.request.batch_size, without_gaps=rules.without_gaps
    )
    columns = -(-len(images) // rows)
    first = images[0]
    if rows * columns * first.image.width * first.image.height > LARGEST:
        return None
    picture = grid_of([one.image for one in images], rows, rules.background)
    return replace(first, image=picture, path="", attachments=())
