"""One answer of a chat route for the MCP server: the same limits and the same usage as under /v1."""

import time
from collections.abc import Mapping
from typing import Any

from admin.gateway.access import Access
from admin.gateway.asked import read_chat
from admin.gateway.errors import all_failed, broken, limited
from admin.services import Services
from core.gateway_keys import GatewayKey
from core.limits.limits import Limits
from core.limits.payer import Payer
from core.limits.rule import rules_of
from core.routing.route import AllCandidatesFailed, AnswerBroken
from core.usage import rows_of
from db.usage import add_usage
from providers.types import Restart, Text

WITHIN = 300.0  # seconds


async def answered(services: Services, key: GatewayKey, body: Mapping[str, Any]) -> tuple[str, str]:
    """The answer's text, and who gave it as "provider:model". Raises ApiError."""
    asked = read_chat(body)
    spec = await Access(services.gateway_keys, services.book).route(key, asked.model)
    request = asked.for_route(spec)
    rules = rules_of((await services.book.current()).limits)
    grant = await Limits(services.database).begin(Payer("mcp", key_id=key.id), rules, spec, request)
    if grant.allowance.stopped:
        raise limited(grant.allowance.resets_at)
    stream = services.router.open(spec, request, time.monotonic() + WITHIN, allowance=grant.allowance)
    texts: list[str] = []
    try:
        async for delta in stream:
            match delta:
                case Text(text):
                    texts.append(text)
                case Restart():
                    texts.clear()
    except AllCandidatesFailed as error:
        raise all_failed(error) from error
    except AnswerBroken as error:
        raise broken() from error
    finally:
        await stream.aclose()
        rows = rows_of(stream.attempts, stream.skipped, grant, spec.id)
        async with services.database.transaction(durable=False) as conn:
            await add_usage(conn, rows)
            await grant.settle(conn, rows)
    last = stream.attempts[-1] if stream.attempts else None
    return "".join(texts), f"{last.provider_id}:{last.model}" if last else ""
