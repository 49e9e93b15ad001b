"""What people may set on a character."""

from pydantic import Field

from core.configuration.configs import Rating
from core.configuration.sampling_configs import SamplingConfig
from core.configuration.values import LongText, Name, Slug


class CharacterInput(SamplingConfig):
    """Who speaks."""

    name: Name = Field("", title="Name", description="For people; empty: the id.")
    prompt: LongText = Field("", title="Prompt", description="What the model is told about itself.")
    greeting: LongText = Field("", max_length=4000, title="Greeting", description="The first words.")
    rating: Rating = Field("general", title="Content rating")


class NewCharacter(CharacterInput):
    """A character with its id."""

    id: Slug
