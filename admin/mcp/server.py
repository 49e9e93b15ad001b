"""The MCP server itself: which tools there are, and one call of one of them."""

import logging
from typing import Any
from urllib.parse import urlsplit

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from admin.gateway.errors import ApiError
from admin.gateway.images_front import renamed
from admin.gateway.images_views import desk_of, showing_of
from admin.mcp.front import CALLER
from admin.mcp.tools import TOOLS, Work, failure
from admin.services import Services
from core.fleet.control import ControlError

LONGEST_BODY = 16 << 20  # bytes: a picture of 10 MB as base64
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
INSTRUCTIONS = (
    "Makes pictures and videos, and asks chat models, by the routes and models that list_models names. Long "
    "work is a job: a tool that returns before its job has ended gives the job's id for get_job. What was "
    "made comes as resource links, readable for a week without a key; edit_image and generate_video take "
    "their ids."
)
logger = logging.getLogger(__name__)


def make(services: Services) -> StreamableHTTPSessionManager:
    """The server as an ASGI application, without sessions: any call may come to any process, at any time."""
    server: Server[Any] = Server(
        "botyard", title="Botyard", instructions=INSTRUCTIONS, on_list_tools=_list, on_call_tool=_call
    )
    return StreamableHTTPSessionManager(
        server,
        stateless=True,
        security_settings=_known_places(services.settings.url),
        max_request_body_size=LONGEST_BODY,
    )


def _known_places(url: str) -> TransportSecuritySettings:
    """The names under which this server is called: its public address, and loopback. A page of another site
    that made its name point here is refused."""
    parts = urlsplit(url)
    hosts = [f"{name}{port}" for name in LOOPBACK for port in ("", ":*")]
    origins = [f"http://{name}{port}" for name in LOOPBACK for port in ("", ":*")]
    return TransportSecuritySettings(
        allowed_hosts=[parts.netloc, *hosts], allowed_origins=[f"{parts.scheme}://{parts.netloc}", *origins]
    )


async def _list(
    _context: ServerRequestContext[Any], _params: PaginatedRequestParams | None
) -> ListToolsResult:
    tools = [
        Tool(name=name, description=tool.about, input_schema=tool.takes.model_json_schema())
        for name, tool in TOOLS.items()
    ]
    return ListToolsResult(tools=tools)


async def _call(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(
            INVALID_PARAMS, f"There is no tool {params.name[:60]!r}. There are: {', '.join(TOOLS)}."
        )
    request = context.request
    assert request is not None
    caller = request.scope["state"][CALLER]
    try:
        given = tool.takes.model_validate(params.arguments or {})
        views = await showing_of(request)
        report = context.session.report_progress
        work = Work(request.app.state.services, caller, desk_of(request), views, report)
        return await tool.run(work, given)
    except ValidationError as error:
        return failure("; ".join(f"{_place(one['loc'])}: {one['msg']}" for one in error.errors()[:5]))
    except ApiError as error:
        return failure(renamed(error).message)
    except (ControlError, SQLAlchemyError) as error:
        logger.warning("mcp: %s: %s", params.name, error)
        return failure("Botyard cannot do this just now. Try again in a moment.")


def _place(loc: tuple[str | int, ...]) -> str:
    return ".".join(map(str, loc)) or "arguments"
