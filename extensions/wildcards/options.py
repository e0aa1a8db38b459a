"""The options of wildcards, and what A1111's words mean as them."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from webui.extension_api import Dialect, Options, Word, form_hint, hint

TEMPLATE, NEGATIVE_TEMPLATE = "Template", "Negative Template"  # keys of Dynamic Prompts
MAX_TEMPLATE = 32_000  # characters
WRITTEN = r"\{[^{}]*(\||\$\$)|[$%]\{|__[~@!]?[^\s_]"  # a prompt that has something of the language


def _left_out(what: str) -> AfterValidator:
    def check(wanted: bool) -> bool:
        if wanted:
            raise ValueError(f"{what} is left out on purpose; switch it off")
        return wanted

    return AfterValidator(check)


Jinja = Annotated[bool, _left_out("Jinja, a language of programs inside prompts,")]
Magic = Annotated[bool, _left_out("Magic prompt, which has a language model write on,")]
Lucky = Annotated[bool, _left_out("I'm feeling lucky, which asks a service on the internet,")]
Attention = Annotated[bool, _left_out("Attention grabber, which weighs words by chance,")]


class WildcardOptions(Options):
    """Wildcards act in the prompts of requests that name this extension."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="by the seed"))

    enabled: bool = Field(
        True,
        description="decide __name__ and {a|b} in prompt and negative prompt by the seed",
        json_schema_extra=hint(label="Wildcards in the prompt boxes"),
    )
    combinatorial: bool = Field(
        False,
        description="a picture of every combination; the batch count does not matter",
        json_schema_extra=hint(label="All combinations"),
    )
    max_pictures: int = Field(
        0,
        ge=0,
        le=1000,
        description="at most so many combinations; 0: all",
        json_schema_extra=hint(label="At most", span=(0, 200, 1), when={"combinatorial": [True]}),
    )
    batches: int = Field(
        1,
        ge=1,
        le=50,
        description="the combinations so many times, with further seeds",
        json_schema_extra=hint(label="Times", span=(1, 10, 1), when={"combinatorial": [True]}),
    )
    fixed_seed: bool = Field(
        False, description="all pictures with the same seed", json_schema_extra=hint(label="Fixed seed", level="more")
    )
    unlink_seed: bool = Field(
        False,
        description="the prompts do not follow the seeds, and nothing brings them back",
        json_schema_extra=hint(label="Prompts without the seed", level="more"),
    )
    squash_spaces: bool = Field(
        False,
        description="several spaces or lines count as one space",
        json_schema_extra=hint(label="One space for several", level="more"),
    )
    write_template: bool = Field(
        True,
        description="the picture's text says what its prompt was decided from",
        json_schema_extra=hint(label="Write the template", level="more"),
    )
    from_template: bool = Field(
        False,
        description="decide the two templates below, instead of what the prompt boxes hold",
        json_schema_extra=hint(label="Use the templates instead"),
    )
    template: str = Field(
        "",
        max_length=MAX_TEMPLATE,
        description="a prompt with wildcards; that of a pasted picture",
        json_schema_extra=hint(control="lines", when={"from_template": [True]}),
    )
    negative_template: str = Field(
        "",
        max_length=MAX_TEMPLATE,
        description="the same for the negative prompt",
        json_schema_extra=hint(control="lines", when={"from_template": [True]}),
    )
    only_first: bool = Field(
        False,
        description="decide all prompts, and make the first picture alone",
        json_schema_extra=hint(control="hidden"),
    )
    jinja: Jinja = Field(False, description="not here", json_schema_extra=hint(control="hidden"))
    magic: Magic = Field(False, description="not here", json_schema_extra=hint(control="hidden"))
    lucky: Lucky = Field(False, description="not here", json_schema_extra=hint(control="hidden"))
    attention: Attention = Field(False, description="not here", json_schema_extra=hint(control="hidden"))


def dialect_of_wildcards() -> Dialect:
    """The words of Dynamic Prompts. Its templates in infotexts are kept in the form: a pasted picture is made of its
    own prompt, unless the user wants its template.
    """
    kept = {"enabled": False}
    return Dialect(
        generation=(
            Word(name="dp_write_raw_template", setting=True, option="write_template", default=False),
            Word(name="dp_ignore_whitespace", setting=True, option="squash_spaces", default=False),
        ),
        infotext=(
            Word(name=TEMPLATE, asks=True, option="template", otherwise={**kept}),
            Word(name=NEGATIVE_TEMPLATE, asks=True, option="negative_template", otherwise={**kept}),
        ),
        script_names=("Dynamic Prompts v2.17.1",),
        script_args=(
            "enabled", "combinatorial", "batches", "magic", "lucky", "attention", "", "", "", "", "fixed_seed",
            "unlink_seed", "", "jinja", "only_first", "max_pictures",
        ),
        script_always={"write_template": False},
        unasked=WRITTEN,
    )  # fmt: skip
