"""What of a picture is made otherwise, so that one sees what a part of the network or a word does."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from webui.extension_api import JobContext, hookimpl
from webui.extension_api.tensors import Conditioning, LoadedModel, ModelCall, PromptTexts, TakePart

from .block_scale import scaled
from .muting import muted_parts, text_without
from .options import RecorderOptions
from .word_maps import cross_layers


class Changes:
    """The hooks of a job in which parts of the network count otherwise, or words are muted."""

    def __init__(self, job: JobContext, options: RecorderOptions) -> None:
        self.scales = options.changed_blocks
        self.muted = options.muted
        self._job = job
        self._has_told = False
        self.text = ""  # of the first picture, where it is another one than its prompt

    @hookimpl
    def patch_model(self, model: LoadedModel) -> AbstractContextManager[Any] | None:
        """The context in which parts are scaled."""
        return scaled(model.unet.module, self.scales) if self.scales else None

    @hookimpl
    def edit_conditioning(self, texts: PromptTexts) -> Conditioning | None:
        """The texts without the muted words."""
        if not self.muted.words:
            return None
        prompts = [text_without(prompt, self.muted.words) for prompt in texts.prompts]
        if prompts == list(texts.prompts):
            if not self._has_told:
                self._job.notice(f"run_recorder: the prompt has no word {', '.join(self.muted.words)} to be muted")
            self._has_told = True
            return None
        self.text = self.text or prompts[0]
        return texts.encode(prompts, texts.negatives)

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """Take part in cross-attention where tokens are muted."""
        return self.muting(call) or None

    def muting(self, call: ModelCall) -> dict[str, TakePart]:
        """Who mutes tokens, by the names of the layers; empty where none are."""
        return muted_parts(cross_layers(call.layers), call, self.muted.tokens) if self.muted.tokens else {}

    @hookimpl
    def image_fields(self) -> Mapping[str, Any] | None:
        """What changes the picture."""
        told = {"Block scales": dict(self.scales), "Muted": self.muted.model_dump(mode="json", exclude_defaults=True)}
        return {key: value for key, value in told.items() if value} or None
