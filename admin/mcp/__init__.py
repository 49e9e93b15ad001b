"""The MCP server at /mcp: pictures, videos, jobs and chat as tools, for programs with a gateway key."""

from admin.mcp.front import install

__all__ = ["install"]
