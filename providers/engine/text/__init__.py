"""Text engines: servers of language models, run as children and offered in OpenAI's shapes."""
