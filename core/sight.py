"""Whether a route can look at pictures."""

from core.routing.allowance import UNLIMITED
from core.routing.candidates import Planner
from core.routing.eligibility import demand_of
from core.routing.spec import RouteSpec
from providers.types import ChatRequest, ChatTurn, Image

PICTURE = ChatRequest((ChatTurn("user", "", (Image("data:,"),)),))


def sees(spec: RouteSpec) -> bool:
    """True when some model of the route may see; one of which nobody knows is asked."""
    demand = demand_of(spec, PICTURE, UNLIMITED)
    return bool(Planner(spec, demand, lambda scopes: 0.0).plan().candidates)
