"""How the host says no over HTTP, in one shape."""

from aiohttp import web

from providers.engine.text.memory import NoRoom


def refusal(status: int, field: str, reason: str, retry_after: int = 0) -> web.Response:
    """What is wrong, and with which part of the request."""
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    error = {"error": {"field": field, "reason": reason}}
    return web.json_response(error, status=status, headers=headers)


def no_room(error: NoRoom) -> web.Response:
    """It does not fit: the numbers."""
    return web.json_response({"error": {"class": "overload", **error.numbers}}, status=507)
