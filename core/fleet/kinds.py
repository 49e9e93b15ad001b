"""Channel kinds, as the supervisor knows them; the registry is core/kinds.py."""

from core.kinds import KINDS, ChannelKind

__all__ = ["KINDS", "ChannelKind"]
