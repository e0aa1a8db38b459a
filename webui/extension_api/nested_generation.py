"""Generation inside generation: how a hook or an action has pictures made. The pipeline in `webui/processing`
implements it. It needs no torch.
"""

from collections.abc import Collection
from typing import NoReturn, Protocol

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult


class Generate(Protocol):
    """`job.generate` and `context.generate`."""

    def __call__(
        self, request: GenerationRequest, *, extensions: Collection[str] | None = None, to_come: int = 0
    ) -> GenerationResult:
        """Make the pictures of a request, now, in this worker, with the models that are in memory.

        Nothing is saved or shown: what becomes of the pictures is the caller's business. What the patches of the job
        changed in the model is undone for the run and done again after it, whatever happens in it. Steps, previews and
        the user's wish to stop are those of the job; notices of the run are shown with those of the job.

        It may be called in the thread of the hooks `edit_request`, `edit_pixels`, `edit_image` and `extra_images`, and
        in an action that is not light.

        Args:
            request: as of a job of its own, of any task but `upscale`. A seed of -1 is the seed of the job plus the
                number of runs that it had before, so that the same job makes the same pictures.
            extensions: those that may join the run. None: all that could join the job, without the one that calls and
                those inside whose runs it is called. Options of the others are left out of the request.
            to_come: runs of this kind that are still to follow, as far as is known; progress counts with them.

        Returns:
            The result: its `images` have picture, request and infotext; `interrupted` says that the user stopped it,
            and that the last picture is unfinished. After a skip the picture is unfinished too; `job.stopped()` tells.

        Raises:
            Cancelled: the user stopped it before there was any picture. Where the hook does not catch it, the job ends.
            BadRequestError: the request cannot be carried out, or names an extension that is not there.
            WebuiError: it is called elsewhere than in these hooks, too often or too deep inside other runs; or what the
                run itself failed of.
        """


def cannot_generate(
    request: GenerationRequest, *, extensions: Collection[str] | None = None, to_come: int = 0
) -> NoReturn:
    """The `Generate` of jobs and actions that cannot make pictures. Raises WebuiError."""
    raise WebuiError("pictures cannot be made here: only jobs of txt2img and img2img and actions have job.generate")
