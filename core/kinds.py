"""Which channel kinds exist: one line each, loaded by module path in the fork server only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """How the supervisor treats a kind.

    `module` exposes `create() -> Channel` and `preload() -> None` (imports and rehearsal before forks).
    A change of a key of `refork_keys` in the configuration forks the channel anew; other changes are read
    by the running one. `token_lock`: the secret is a token that only one process may use at a time.
    A channel without a finished poll for `deaf_after` seconds (three poll timeouts) is restarted.
    Kinds of a lower `generation` are preloaded and forked first.
    """

    module: str
    refork_keys: tuple[str, ...] = ()
    token_lock: bool = False
    deaf_after: float = 0.0
    generation: int = 1


KINDS = {
    "telegram": ChannelKind(
        "bots.telegram", refork_keys=("api_base",), token_lock=True, deaf_after=150.0, generation=2
    ),
    "widget": ChannelKind("widget.channel"),
}
