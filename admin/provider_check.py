"""The *Test* of a provider's credential or proxy: its models are asked for, which costs nothing."""

from dataclasses import dataclass, field, replace

from admin.services import Services
from core.configuration.changes import found
from core.routing.book import provider_config
from db.providers import get_provider
from providers.catalog import find_vendor
from providers.errors import ErrorClass, ProviderError
from providers.media.offers import cards_of
from providers.registry import list_models
from providers.types import ProviderConfig


@dataclass(frozen=True, slots=True)
class Check:
    """What a test found: the models, or a class of error with the vendor's own words. `address` is an error
    that only the operator can make: an address nothing can be sent to."""

    models: list[str] = field(default_factory=list)
    error: str = ""
    detail: str = ""


ADDRESS = "address"


async def config_of(services: Services, provider_id: str) -> ProviderConfig:
    """A provider as routes use it, enabled or not. Raises NotFound or ControlError."""
    async with services.database.reading() as conn:
        row = found(await get_provider(conn, provider_id), "provider", provider_id)
    return provider_config(row, await services.control.provider_secrets(provider_id))


async def check(config: ProviderConfig, key: str, proxy: str = "") -> Check:
    """Ask with one key, through one proxy or through all of the provider's in turn."""
    if proxy:
        config = replace(config, proxies=(proxy,))
    try:
        return Check(models=[*await list_models(config, key), *await _drawing(config, key)])
    except ProviderError as error:
        return Check(error=error.error_class, detail=error.message[:500])
    except TimeoutError:
        return Check(error=ErrorClass.TIMEOUT)
    except ValueError as error:
        return Check(error=ADDRESS, detail=str(error)[:500])


async def _drawing(config: ProviderConfig, key: str) -> list[str]:
    """What makes pictures at a server of one's own, which its list of models to talk to does not name."""
    if not find_vendor(config.kind).local:
        return []
    return [card.name for card in await cards_of(replace(config, keys=(key,) if key else ()))]
