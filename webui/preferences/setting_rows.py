"""The table of settings in the order in which the page shows them. A test holds it to the fields of `Settings`."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.preferences.setting import Setting

BY_FLAG = "It is chosen when the program is started."
AT_EXTENSIONS = "Extensions are switched on and off in the tab Extensions."

_FILES = (
    Setting("image_format", "Files", "File format", "Of pictures that are saved.", "now"),
    Setting(
        "jpeg_quality", "Files", "Quality", "Of JPEG and WebP files: 100 keeps the most and needs the most room.", "now"
    ),
    Setting("webp_lossless", "Files", "WebP without loss", "WebP files keep every pixel as it is.", "now"),
    Setting(
        "filename_pattern",
        "Files",
        "File name",
        "Words in brackets are filled in: [number], [seed], [date], [model_name], [prompt_words] and others.",
        "now",
        pattern=True,
    ),
    Setting(
        "folder_pattern",
        "Files",
        "Folder name",
        "Of the folder inside the one for the kind of picture. Leave it empty to save without it.",
        "now",
        pattern=True,
    ),
    Setting("save_images", "Files", "Save pictures", "Pictures that the page makes are written to files.", "now"),
    Setting(
        "save_api_images",
        "Files",
        "Save pictures of the API",
        "Pictures for clients of the API are written to files also where a client does not ask for it.",
    ),
    Setting(
        "embed_parameters",
        "Files",
        "Write the parameters into the picture",
        "A picture can then be made again from its file alone.",
        "now",
    ),
    Setting(
        "sidecar_text",
        "Files",
        "Save a text file beside each picture",
        "The file holds the generation parameters.",
        "now",
    ),
)
_LOOK = (
    Setting("theme", "Look", "Theme at first", "For browsers in which nobody has chosen one.", "now"),
    Setting(
        "language",
        "Look",
        "Language at first",
        "For browsers in which nobody has chosen one: en, or the name of a file in localizations.",
        "now",
    ),
    Setting(
        "quicksettings",
        "Look",
        "Quicksettings",
        "In the header, a line for each: a setting such as image_format, or a field of the form such as clip_skip.",
        "now",
    ),
)
_PREVIEW = (
    Setting("preview_every", "Live preview", "A preview every n steps", "0 shows none, which is fastest.", "next job"),
    Setting(
        "preview_kind",
        "Live preview",
        "Previews by",
        "Approx cheap: colours fitted to the VAE. TAESD: needs taesd_decoder in models/VAE-taesd. Full: the VAE, slow.",
        "next job",
    ),
)
_DEFAULTS = (
    Setting(
        "default_checkpoint",
        "Generation defaults",
        "Default checkpoint",
        "Used until another is chosen. Entering one here chooses it.",
        "now",
    ),
    Setting("default_vae", "Generation defaults", "Default VAE", "Used until another is chosen.", "now"),
)
_MEMORY = (
    Setting(
        "device",
        "Memory and speed",
        "Device",
        "auto, cpu, cuda, cuda:1, mps or xpu; several as cuda:0,cuda:1, or all.",
        "next job",
    ),
    Setting(
        "precision", "Memory and speed", "Precision", "Of the networks. Half precision needs half the room.", "next job"
    ),
    Setting(
        "vae_precision",
        "Memory and speed",
        "Precision of the VAE",
        "Choose fp32 where pictures come out black.",
        "next job",
    ),
    Setting(
        "checkpoints_in_memory",
        "Memory and speed",
        "Checkpoints in memory",
        "How many stay loaded, so that changing between them is quick.",
        "next job",
    ),
    Setting(
        "tiled_vae",
        "Memory and speed",
        "Decode in tiles",
        "It needs less memory and more time. Without it, tiles are used only where memory runs short.",
        "next job",
    ),
    Setting(
        "vram",
        "Memory and speed",
        "Memory of the card",
        "auto: networks that are not needed leave it. low: weights come layer by layer, which needs least and is slow. "
        "high: networks stay.",
        "next job",
    ),
    Setting(
        "reserve_vram",
        "Memory and speed",
        "Reserved memory",
        "GiB of the card that are left to its driver and to other programs.",
        "next job",
    ),
    Setting(
        "network",
        "Memory and speed",
        "Calls of the network",
        "auto: on NVIDIA's cards they are captured once for each size and replayed, if the first replay gives the "
        "same. eager: they are made one by one.",
        "next job",
    ),
    Setting(
        "fp8_weights",
        "Memory and speed",
        "Weights in 8 bits",
        "They need half the room on the card; pictures change a little.",
        "next job",
    ),
    Setting("threads", "Memory and speed", "Threads", "Of the processor that the worker uses; 0: all.", "next job"),
    Setting("max_queue", "Memory and speed", "Jobs that may wait", "Further ones are refused.", "now"),
    Setting(
        "executor",
        "Memory and speed",
        "Executor",
        "Where jobs run. local: in a process of its own on this machine.",
        widens=True,
    ),
)
_PATHS = (
    Setting("models_dir", "Paths", "Models folder", "It holds Stable-diffusion, VAE, Lora and so on.", widens=True),
    Setting(
        "further_models_dirs",
        "Paths",
        "Further models folders",
        "Folders that are arranged like the models folder; a line for each. They are only read.",
        widens=True,
    ),
    Setting(
        "model_folders",
        "Paths",
        "Folders for one kind of model",
        "A line for each, as in lora=/data/loras. They are only read.",
        widens=True,
    ),
    Setting(
        "use_models_of",
        "Paths",
        "Use the models of another program",
        "Folders of AUTOMATIC1111, Forge or ComfyUI; a line for each. They are only read.",
        widens=True,
    ),
    Setting(
        "extra_model_paths",
        "Paths",
        "Lists of model folders",
        "Files in the form of ComfyUI's extra_model_paths.yaml; a line for each.",
        widens=True,
    ),
    Setting("outputs_dir", "Paths", "Outputs folder", "Pictures are saved there.", widens=True),
    Setting("styles_file", "Paths", "File of styles", "Empty: styles.csv in the data folder.", widens=True),
    Setting("extensions_dir", "Paths", "Extensions folder", "It holds a folder for each extension.", widens=True),
    Setting("data_dir", "Paths", "Data folder", "It holds settings, history and caches.", elsewhere=BY_FLAG),
)
_ACCESS = (
    Setting("api", "API and access", "API", "Serve the API beside the page.", widens=True),
    Setting("webui", "API and access", "Page", "Serve this page.", elsewhere=BY_FLAG),
    Setting("host", "API and access", "Address", "127.0.0.1: only this machine reaches the program.", widens=True),
    Setting("port", "API and access", "Port", "0 takes a free one.", widens=True),
    Setting(
        "open_browser", "API and access", "Open the browser at start", "The page is shown when the program starts."
    ),
    Setting(
        "allowed_hosts",
        "API and access",
        "Further names of this server",
        "Names under which browsers may call it; a line for each.",
        widens=True,
    ),
    Setting(
        "cors_origins",
        "API and access",
        "Other sites that may call the API",
        "Origins such as https://example.org; a line for each.",
        widens=True,
    ),
    Setting(
        "cors_origin_pattern",
        "API and access",
        "Pattern of such sites",
        "A regular expression that fits the whole origin.",
        widens=True,
    ),
    Setting("subpath", "API and access", "Path", "Page and API lie below it, behind a proxy.", widens=True),
    Setting("tls_certfile", "API and access", "Certificate", "A PEM file; with its key, https is spoken.", widens=True),
    Setting("tls_keyfile", "API and access", "Key of the certificate", "A PEM file without a password.", widens=True),
    Setting(
        "timeout_keep_alive",
        "API and access",
        "Idle connections stay open",
        "In seconds.",
        widens=True,
    ),
    Setting(
        "api_auth",
        "API and access",
        "Users and passwords",
        "Set by --api-auth or in settings.json. They are never shown.",
        secret=True,
        elsewhere=BY_FLAG,
    ),
    Setting("api_server_stop", "API and access", "Clients may end the program", "By a route of the API.", widens=True),
    Setting(
        "webhook_hosts",
        "API and access",
        "Hosts that may be told of finished jobs",
        "A line for each.",
        widens=True,
    ),
    Setting(
        "webhook_private",
        "API and access",
        "Tell hosts of this network, too",
        "Without it, addresses of this machine and its network are refused.",
        widens=True,
    ),
    Setting(
        "webhook_secret",
        "API and access",
        "Key of the messages to hosts",
        "Set in settings.json. It is never shown.",
        secret=True,
        elsewhere=BY_FLAG,
    ),
)
_EXTENSIONS = (
    Setting("disabled_extensions", "Extensions", "Extensions that are off", "By name.", elsewhere=AT_EXTENSIONS),
    Setting(
        "hook_deadline",
        "Extensions",
        "Patience with extensions",
        "Seconds that the code of an extension may run without progress; 0: for ever.",
        "next job",
    ),
    Setting(
        "extension_sources",
        "Extensions",
        "Folders to install from",
        "The page may install extensions that lie there; a line for each.",
        widens=True,
    ),
    Setting(
        "allow_extension_install",
        "Extensions",
        "Everybody may install extensions",
        "Also callers on other machines. An extension may do whatever the program may.",
        widens=True,
    ),
)

ROWS: tuple[Setting, ...] = (*_FILES, *_LOOK, *_PREVIEW, *_DEFAULTS, *_MEMORY, *_PATHS, *_ACCESS, *_EXTENSIONS)
BY_NAME: Mapping[str, Setting] = MappingProxyType({row.name: row for row in ROWS})
