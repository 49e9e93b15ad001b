"""The OpenAI-compatible API under /v1: any route or model, for programs with a gateway key."""
