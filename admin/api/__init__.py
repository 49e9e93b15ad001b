"""The REST API under /api/v1: everything that the panel can do, for programs with a bearer token."""
