"""What people may set on a provider."""

from pydantic import Field

from core.configuration.configs import Config
from core.configuration.values import Key, Name, Slug, Url


class ProviderInput(Config):
    """An account at a vendor or a server of your own. Keys that are left out stay as they are."""

    kind: Name = Field(title="Kind", description="An entry of the catalogue, or a compatible server.")
    name: Name = Field("", title="Name", description="For people; empty: the id.")
    base_url: Url | None = Field(None, title="Address", description="Empty: the catalogue's.")
    keys: list[Key] | None = Field(
        None, max_length=50, title="Keys", description="Used in turn.", json_schema_extra={"writeOnly": True}
    )
    enabled: bool = Field(True, title="Enabled", description="Routes skip a provider that is not.")


class NewProvider(ProviderInput):
    """A provider with its id."""

    id: Slug
