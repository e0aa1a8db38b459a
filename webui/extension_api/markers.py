"""The decorators that connect extensions to hooks, and the version of this package. Needs no torch."""

import pluggy

PROJECT = "webui"
API_VERSION = 2
"""Grows when something that extensions import or implement changes its meaning or goes; what is new does not change it.

1: extensions imported `webui.extension_api`. 2: they import `webui.extension_api`.
"""

API_MINOR = 5
"""Grows with each addition that extensions may use; what was written for an earlier one works as before.

1: hints how options are drawn (`hint`, `form_hint`).
2: the hook `plan_images` and `PlannedImage`; in a dialect `script_always`, `unasked`, and settings beside a script;
   the hooks `call_network` and `edit_noise`; `texts` of `edit_conditioning`; dicts as values of `image_fields`;
   `Entries`, and `keys` of a `Word`; `job.generate` and `context.generate`, with `GenerationResult` and
   `GeneratedImage`; the hook `scripts`; `start` of `edit_noise`.
3: the hook `unet_attention`; `latents` and `ask` of `edit_denoised`; in a dialect `NamedScript`, `alone`, `parts`
   and the codec `objects` of a `Word`; `with_spread_of`; `Behind`; a light action named `prompt_words` tells what
   prompts are completed with, one named `interrogate` describes pictures for A1111's clients; the kinds of file
   `captioner`, `clip_vision` and `insightface`; the hints `places` and `colours`; `Part`, `span_at`, and
   `tokens_of` of the texts.
4: `record`, `data_dir` and `others_wait` of an action's context, `ActionResult.again` and `Action.gives_way`;
   `write_safetensors` with `TensorEntry`, `models.read_checkpoint`, `alphas_cumprod`, `caption_tokens`,
   `embedded_numbers`, `ClipTower.traced` and `Splice`;
   the hooks `settings_options`, `frames`, `picture_tools`, `file_words` and `job_ended`; `settings` and `tools` of jobs
   and actions; the hints `tab` and `pose`.
5: `can_go_on` of an action's context; the hook `samplers`, with `Sampler`, `SamplerStep`, `Moved`, `Past` and
    `tangent`; the hint `dial`.
"""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
