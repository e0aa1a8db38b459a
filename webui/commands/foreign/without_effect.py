"""The flags of A1111 1.10.1, Forge and usual extensions that have no effect here, by the reason why."""

from webui.commands.foreign.known_flag import KnownFlag, Takes


def _because(reason: str, flags: str, takes: Takes = "nothing") -> tuple[KnownFlag, ...]:
    names = (f"-{name}" if len(name) == 1 else f"--{name}" for name in flags.split())
    return tuple(KnownFlag(name, reason, takes) for name in names)


_ATTENTION = "attention is always PyTorch's own"
_MEMORY = "`--vram` decides what stays on the card"
_NUMBERS = "`--precision` and `--vae-precision` decide"
_PYTHON = "launch.py installs what is pinned, once, and looks for nothing else"
_LOOK = "the page has no such option"
_TUNNEL = "the server makes no tunnel; see `--listen` and a password"
_SETTINGS = "settings are in settings.json of the data folder, and every request brings its own"
_LOG = "the log is always the same"
_FOLDER = "there are no such files here"
_TESTS = "`launch.py test` runs the checks"
_NAMES = "names of files follow `filename_pattern`, and fit every file system"
_FORGE_SPEED = "PyTorch decides this by itself"

IDLE = (
    *_because(
        _ATTENTION,
        "xformers force-enable-xformers xformers-flash-attention disable-xformers opt-sdp-attention "
        "opt-sdp-no-mem-attention opt-split-attention opt-split-attention-v1 opt-split-attention-invokeai "
        "opt-sub-quad-attention disable-opt-split-attention attention-split attention-quad attention-pytorch "
        "force-upcast-attention disable-attention-upcast",
    ),
    *_because(_ATTENTION, "sub-quad-q-chunk-size sub-quad-kv-chunk-size sub-quad-chunk-threshold", "a value"),
    *_because(
        _MEMORY,
        "lowram always-batch-cond-uncond unload-gfpgan disable-model-loading-ram-optimization vae-in-cpu",
    ),
    *_because(
        _NUMBERS,
        "all-in-fp16 unet-in-fp16 vae-in-fp16 vae-in-bf16 clip-in-fp16 "
        "clip-in-fp32 clip-in-fp8-e4m3fn clip-in-fp8-e5m2 no-half-controlnet",
    ),
    *_because("latents and sampling are float32 in every precision", "upcast-sampling"),
    *_because("latents and pictures are always checked for NaN", "disable-nan-check"),
    *_because(_FORGE_SPEED, "opt-channelslast cuda-malloc cuda-stream pin-shared-memory pytorch-deterministic"),
    *_because("`--device` names the device; these are not supported", "use-ipex disable-ipex-hijack"),
    *_because("`--device` names the device; these are not supported", "directml", "perhaps a value"),
    *_because(
        _PYTHON,
        "skip-python-version-check skip-torch-cuda-test skip-version-check skip-prepare-environment "
        "reinstall-xformers update-check update-all-extensions do-not-download-clip "
        "no-download-sd-model ad-no-huggingface",
    ),
    *_because("the program runs with the rights of whoever starts it", "f administrator"),
    *_because(_TUNNEL, "share"),
    *_because(_TUNNEL, "ngrok ngrok-region ngrok-options", "a value"),
    *_because("the server calls nobody, itself included", "disable-tls-verify"),
    *_because("no folder is served as such; pictures are served one by one", "gradio-allowed-path", "a value"),
    *_because("the page always uses the queue", "gradio-queue no-gradio-queue gradio-debug"),
    *_because(
        _LOOK,
        "no-progressbar-hiding show-negative-prompt use-textbox-seed hide-ui-dir-config ui-debug-mode "
        "no-prompt-history deepdanbooru",
    ),
    *_because(_LOOK, "gradio-img2img-tool gradio-inpaint-tool max-batch-count", "a value"),
    *_because(_SETTINGS, "freeze-settings"),
    *_because(
        _SETTINGS,
        "freeze-settings-in-sections freeze-specific-settings ui-settings-file ui-config-file",
        "a value",
    ),
    *_because(_NAMES, "unix-filenames-sanitization"),
    *_because(_NAMES, "filenames-max-length", "a value"),
    *_because("requests never run code", "allow-code"),
    *_because("the server loads no pickle; each is converted once, in a limited process", "disable-safe-unpickle"),
    *_because("files are hashed when a hash is needed, once", "no-hashing"),
    *_because("the last checkpoint is loaded when the first picture is asked for", "skip-load-model-at-start"),
    *_because("signals stop the server; no route does", "add-stop-route"),
    *_because(_LOG, "api-log log-startup disable-console-progressbars enable-console-prompts controlnet-tracemalloc"),
    *_because(_LOG, "loglevel controlnet-loglevel", "a value"),
    *_because("preprocessors stay in memory while there is room", "controlnet-preprocessor-cache-size", "a value"),
    *_because("a sidecar beside the checkpoint says what its tensors do not", "config", "a value"),
    *_because(
        _FOLDER,
        "textual-inversion-templates-dir localizations-dir clip-models-path ldsr-models-path text-encoder-dir",
        "a value",
    ),
    *_because(_TESTS, "no-tests test-server dump-sysinfo"),
    *_because(_TESTS, "tests", "a value"),
)  # fmt: skip
