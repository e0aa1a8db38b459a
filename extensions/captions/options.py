"""What a description may be asked for. It needs no torch."""

from pydantic import ConfigDict, Field

from webui.extension_api import ImageField, Options, hint


class CaptionSettings(Options):
    """How pictures are described where nothing else is asked for."""

    model: str = Field(
        "",
        max_length=400,
        description="clip (BLIP), deepdanbooru, or a file of models/TaggerOnnx; empty takes the first that is there",
        json_schema_extra=hint(model="captioner", labels={"": "The first that is there"}),
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="tags that are surer than this; none: 0.5 for DeepDanbooru, 0.35 for WD14"
    )
    alphabetical: bool = Field(
        True, description="DeepDanbooru's tags in the order of the alphabet, else the surest first"
    )
    spaces: bool = Field(True, description="blanks instead of underscores in tags")
    escape: bool = Field(True, description="a backslash before brackets in tags, so that they are no weights")
    scores: bool = Field(False, description="write how sure each tag is, as a weight")
    leave_out: str = Field("", max_length=10_000, description="tags that are left out, with commas between them")


class DescribeOptions(CaptionSettings):
    """A picture, and how it is described. What is not said is as the settings say."""

    image: ImageField

    def completed(self, settings: CaptionSettings) -> "DescribeOptions":
        """With the settings' values for what was not asked for."""
        unsaid = CaptionSettings.model_fields.keys() - self.model_fields_set
        return self.model_copy(update={name: getattr(settings, name) for name in unsaid})


class TaggerOptions(Options):
    """The body of `POST /tagger/v1/interrogate`; further fields of clients are not looked at."""

    model_config = ConfigDict(extra="ignore")

    image: ImageField
    model: str = Field("", max_length=400)
    threshold: float = Field(0.0, ge=0, le=1)


class NoOptions(Options):
    """Nothing is asked."""

    model_config = ConfigDict(extra="ignore")
