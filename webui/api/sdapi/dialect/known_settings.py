"""A1111's settings (v1.10.1 and the extensions that come with it) that are no fields of a request, as data.

Each has A1111's default and says what becomes of it here: it decides how files are written (`files`), what an answer
holds (`answer`), or nothing; then the reason is told. Settings that are fields of a request stand in `options.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Effect = Literal["files", "answer", "none"]


@dataclass(frozen=True, slots=True)
class Known:
    """One setting of A1111.

    Attributes:
        default: A1111's own; its type is that of every value, None takes any text.
        reason: why it has no effect.
        listed: whether `GET /options` shows it before somebody sets it.
    """

    default: Any
    effect: Effect = "none"
    reason: str = ""
    listed: bool = True


FILES: Mapping[str, Any] = MappingProxyType(
    {
        "samples_save": True, "samples_format": "png", "samples_filename_pattern": "",
        "save_images_add_number": True, "jpeg_quality": 80, "webp_lossless": False, "enable_pnginfo": True,
        "save_txt": False, "save_to_dirs": True, "directories_filename_pattern": "[date]",
        "grid_save": True, "grid_format": "png", "grid_save_to_dirs": True, "grid_extended_filename": False,
    }
)  # fmt: skip
ANSWER: Mapping[str, Any] = MappingProxyType(
    {
        "return_grid": True, "grid_only_if_multiple": True, "grid_prevent_empty_spots": False, "n_rows": -1,
        "grid_background_color": "#ffffff", "live_previews_enable": True, "img2img_background_color": "#ffffff",
    }
)  # fmt: skip

_PAGE = "it belongs to A1111's page"
_FOLDERS = "files stay in the folders that the program was started with"
_COPIES = "no second copies of pictures are written"
_MEMORY = "the program decides about memory and speed by its own settings"
_LOG = "the program has its own log"
_INTERROGATE = "pictures are described with these values as they come"
_TRAINING = "training is not there"
_MODELS = "nothing of the kind is carried out here"
_TEXT = "texts are written as A1111 writes them by default"
_PREVIEW = "previews are made as the program was started"
_NETWORK = "the server opens no connections to addresses in a request"
_UPSCALE = "tiles are chosen by the program"
_OTHERS = "it belongs to another program"

# Reason -> settings with A1111's defaults.
WITHOUT_EFFECT: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        _FOLDERS: {
            "outdir_samples": "", "outdir_txt2img_samples": "outputs/txt2img-images",
            "outdir_img2img_samples": "outputs/img2img-images", "outdir_extras_samples": "outputs/extras-images",
            "outdir_grids": "", "outdir_txt2img_grids": "outputs/txt2img-grids",
            "outdir_img2img_grids": "outputs/img2img-grids", "outdir_save": "log/images",
            "outdir_init_images": "outputs/init-images", "temp_dir": "", "clean_temp_dir_at_start": False,
            "use_save_to_dirs_for_ui": False, "directories_max_prompt_words": 8,
        },
        _COPIES: {
            "save_images_replace_action": "Replace", "save_images_before_face_restoration": False,
            "save_images_before_highres_fix": False, "save_images_before_color_correction": False,
            "save_mask": False, "save_mask_composite": False, "export_for_4chan": True,
            "img_downscale_threshold": 4.0, "target_side_length": 4000, "save_init_img": False,
            "save_incomplete_images": False, "use_original_name_batch": True,
            "use_upscaler_name_as_suffix": False, "save_selected_only": True, "save_write_log_csv": True,
            "grid_zip_filename_pattern": "",
        },
        _PAGE: {
            "font": "", "grid_text_active_color": "#000000", "grid_text_inactive_color": "#999999",
            "img_max_size_mp": 200, "notification_audio": True, "notification_volume": 100,
            "set_scale_by_when_changing_upscaler": False, "auto_launch_browser": "Local",
            "img2img_editor_height": 720, "img2img_sketch_default_brush_color": "#ffffff",
            "img2img_inpaint_mask_brush_color": "#ffffff",
            "img2img_inpaint_sketch_default_brush_color": "#ffffff", "img2img_batch_show_results_limit": 32,
            "extra_networks_show_hidden_directories": True, "extra_networks_dir_button_function": False,
            "extra_networks_hidden_models": "When searched", "extra_networks_default_multiplier": 1.0,
            "extra_networks_card_width": 0, "extra_networks_card_height": 0, "extra_networks_card_text_scale": 1.0,
            "extra_networks_card_show_desc": True, "extra_networks_card_description_is_html": False,
            "extra_networks_card_order_field": "Path", "extra_networks_card_order": "Ascending",
            "extra_networks_tree_view_style": "Dirs", "extra_networks_tree_view_default_enabled": True,
            "extra_networks_tree_view_default_width": 180, "extra_networks_add_text_separator": " ",
            "ui_extra_networks_tab_reorder": "", "keyedit_precision_attention": 0.1,
            "keyedit_precision_extra": 0.05, "keyedit_delimiters": r".,\/!?%^*;:{}=`~() ",
            "keyedit_delimiters_whitespace": ["Tab", "Carriage Return", "Line Feed"], "keyedit_move": True,
            "disable_token_counters": False, "include_styles_into_token_counters": True,
            "do_not_show_images": False, "js_modal_lightbox": True, "js_modal_lightbox_initially_zoomed": True,
            "js_modal_lightbox_gamepad": False, "js_modal_lightbox_gamepad_repeat": 250,
            "sd_webui_modal_lightbox_icon_opacity": 1, "sd_webui_modal_lightbox_toolbar_opacity": 0.9,
            "gallery_height": "", "open_dir_button_choice": "Subdirectory", "compact_prompt_box": False,
            "samplers_in_dropdown": True, "dimensions_and_batch_together": True,
            "sd_checkpoint_dropdown_use_short": False, "hires_fix_show_sampler": False,
            "hires_fix_show_prompts": False, "txt2img_settings_accordion": False,
            "img2img_settings_accordion": False, "interrupt_after_current": True, "localization": "None",
            "quicksettings_list": ["sd_model_checkpoint"], "ui_tab_order": [], "hidden_tabs": [],
            "ui_reorder_list": [], "gradio_theme": "Default", "gradio_themes_cache": True,
            "show_progress_in_title": True, "send_seed": True, "send_size": True,
            "enable_reloading_ui_scripts": False, "infotext_skip_pasting": [], "infotext_styles": "Apply if any",
            "show_progressbar": True, "js_live_preview_in_modal_lightbox": False,
            "prevent_screen_sleep_during_generation": True, "hide_samplers": [],
            "postprocessing_enable_in_main_ui": [], "postprocessing_disable_in_extras": [],
            "postprocessing_operation_order": [], "extra_options_txt2img": [], "extra_options_img2img": [],
            "extra_options_cols": 1, "extra_options_accordion": False, "canvas_hotkey_zoom": "Alt",
            "canvas_hotkey_adjust": "Ctrl", "canvas_hotkey_shrink_brush": "Q", "canvas_hotkey_grow_brush": "W",
            "canvas_hotkey_move": "F", "canvas_hotkey_fullscreen": "S", "canvas_hotkey_reset": "R",
            "canvas_hotkey_overlap": "O", "canvas_show_tooltip": True, "canvas_auto_expand": True,
            "canvas_blur_prompt": False, "canvas_disabled_functions": ["Overlap"], "lora_show_all": False,
            "lora_hide_unknown_for_versions": [], "lora_preferred_name": "Alias from file",
            "restore_config_state_file": "", "disabled_extensions": [], "disable_all_extensions": "none",
        },
        _MEMORY: {
            "face_restoration_unload": False, "memmon_poll_rate": 8, "sd_checkpoints_limit": 1,
            "sd_checkpoints_keep_in_cpu": True, "sd_checkpoint_cache": 0, "sd_unet": "Automatic",
            "upcast_attn": False, "disable_mmap_load_safetensors": False, "sd_vae_checkpoint_cache": 0,
            "auto_vae_precision": True, "auto_vae_precision_bfloat16": False,
            "cross_attention_optimization": "Automatic", "batch_cond_uncond": True,
            "persistent_cond_cache": True, "fp8_storage": "Disable", "cache_fp16_weight": False,
            "lora_in_memory_limit": 0, "lora_functional": False, "upscaling_max_images_in_cache": 5,
            "ldsr_cached": False, "SWIN_torch_compile": False,
        },
        _LOG: {
            "enable_console_prompts": False, "show_warnings": False, "show_gradio_deprecation_warnings": True,
            "samples_log_stdout": False, "multiple_tqdm": True, "enable_upscale_progressbar": True,
            "print_hypernet_extra": False, "list_hidden_files": True, "hide_ldm_prints": True,
            "dump_stacks_on_signal": False, "profiling_enable": False, "profiling_activities": ["CPU"],
            "profiling_record_shapes": True, "profiling_profile_memory": True, "profiling_with_stack": True,
            "profiling_filename": "trace.json", "textual_inversion_print_at_load": False,
            "lora_not_found_warning_console": False, "lora_not_found_gradio_warning": False,
        },
        _NETWORK: {"api_enable_requests": True, "api_forbid_local_requests": True, "api_useragent": ""},
        _TRAINING: {
            "unload_models_when_training": False, "pin_memory": False, "save_optimizer_state": False,
            "save_training_settings_to_txt": True, "dataset_filename_word_regex": "",
            "dataset_filename_join_string": " ", "training_image_repeats_per_epoch": 1,
            "training_write_csv_every": 500, "training_xattention_optimizations": False,
            "training_enable_tensorboard": False, "training_tensorboard_save_images": False,
            "training_tensorboard_flush_every": 120, "postprocessing_existing_caption_action": "Ignore",
        },
        _INTERROGATE: {
            "interrogate_keep_models_in_memory": False, "interrogate_return_ranks": False,
            "interrogate_clip_num_beams": 1, "interrogate_clip_min_length": 24,
            "interrogate_clip_max_length": 48, "interrogate_clip_dict_limit": 1500,
            "interrogate_clip_skip_categories": [], "interrogate_deepbooru_score_threshold": 0.5,
            "deepbooru_sort_alpha": True, "deepbooru_use_spaces": True, "deepbooru_escape": True,
            "deepbooru_filter_tags": "",
        },
        _TEXT: {
            "add_model_name_to_info": True, "add_model_hash_to_info": True, "add_vae_name_to_info": True,
            "add_vae_hash_to_info": True, "add_user_name_to_info": False, "add_version_to_infotext": True,
            "disable_weights_auto_swap": True, "textual_inversion_add_hashes_to_infotext": True,
            "lora_add_hashes_to_infotext": True, "auto_backcompat": True,
        },
        _PREVIEW: {
            "live_previews_image_format": "png", "show_progress_grid": True, "show_progress_every_n_steps": 10,
            "show_progress_type": "Approx NN", "live_preview_allow_lowvram_full": False,
            "live_preview_content": "Prompt", "live_preview_refresh_period": 1000,
            "live_preview_fast_interrupt": False,
        },
        _UPSCALE: {
            "ESRGAN_tile": 192, "ESRGAN_tile_overlap": 8, "DAT_tile": 192, "DAT_tile_overlap": 8,
            "SCUNET_tile": 256, "SCUNET_tile_overlap": 8, "SWIN_tile": 192, "SWIN_tile_overlap": 8,
            "realesrgan_enabled_models": ["R-ESRGAN 4x+", "R-ESRGAN 4x+ Anime6B"],
            "dat_enabled_models": ["DAT x2", "DAT x3", "DAT x4"], "ldsr_steps": 100,
        },
        _MODELS: {
            "enable_batch_seeds": True, "sd3_enable_t5": False,
            "sd_vae_overrides_per_model_preferences": True, "use_old_hires_fix_width_height": False,
            "hires_fix_use_firstpass_conds": False, "ddim_discretize": "uniform", "sd_hypernetwork": "None",
            "sd_lora": "None", "lora_bundled_ti_to_infotext": True, "hypertile_enable_unet": False,
            "hypertile_enable_unet_secondpass": False, "hypertile_max_depth_unet": 3,
            "hypertile_max_tile_unet": 256, "hypertile_swap_size_unet": 3, "hypertile_enable_vae": False,
            "hypertile_max_depth_vae": 3, "hypertile_max_tile_vae": 128, "hypertile_swap_size_vae": 3,
            "sd_checkpoint_hash": "",
        },
    }
)  # fmt: skip

# Settings of programs that grew out of A1111, which their clients send along. Clients tell such a program by these
# keys, so they are not listed.
FOREIGN: Mapping[str, Any] = MappingProxyType(
    {
        "forge_additional_modules": [], "forge_preset": "", "forge_unet_storage_dtype": "Automatic",
        "forge_inference_memory": 1024, "forge_async_loading": "Queue", "forge_pin_shared_memory": "CPU",
        "control_net_no_detectmap": False, "control_net_unit_count": 3, "control_net_models_path": "",
        "control_net_detectedmap_dir": "", "control_net_allow_script_control": False,
    }
)  # fmt: skip


def _every() -> Iterator[tuple[str, Known]]:
    yield from ((key, Known(default, "files")) for key, default in FILES.items())
    yield from ((key, Known(default, "answer")) for key, default in ANSWER.items())
    for reason, settings in WITHOUT_EFFECT.items():
        yield from ((key, Known(default, "none", reason)) for key, default in settings.items())
    yield from ((key, Known(default, "none", _OTHERS, listed=False)) for key, default in FOREIGN.items())


KNOWN: Mapping[str, Known] = MappingProxyType(dict(_every()))
