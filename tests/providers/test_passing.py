"""Which vendors get calls beside chat."""

import pytest

from providers.passing import takes
from providers.types import ProviderConfig


@pytest.mark.parametrize(
    ("kind", "embeddings", "responses"),
    [
        ("openai", True, True),
        ("groq", False, True),
        ("mistral", True, False),
        ("deepseek", False, False),
        ("anthropic", False, False),
        ("vllm", True, True),
        ("openai-compatible", True, True),
        ("unheard-of", False, False),
    ],
)
def test_as_the_catalogue_says_and_unknown_servers_are_asked(
    kind: str, embeddings: bool, responses: bool
) -> None:
    config = ProviderConfig("x", kind)
    assert (takes(config, "/embeddings"), takes(config, "/responses")) == (embeddings, responses)
