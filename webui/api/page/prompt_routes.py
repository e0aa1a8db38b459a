"""The page's routes around the prompt, put together."""

from webui.api.late_routes import Router
from webui.api.page import dropped_picture, network_cards, picture_words, prompt_words, styles, tokens
from webui.api.parts import Parts


def routes(parts: Parts) -> Router:
    """Cards of networks, words, tokens, dropped pictures; styles where there are any to be saved."""
    router = Router()
    for part in (
        network_cards.routes(parts), prompt_words.routes(parts), tokens.routes(parts), dropped_picture.routes(),
        picture_words.routes(parts),
    ):  # fmt: skip
        router.take(part)
    if parts.style_book is not None:
        router.take(styles.routes(parts, parts.style_book))
    return router
