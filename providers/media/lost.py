"""Whether a submit that failed may have begun all the same, and be paid for."""

from providers.errors import ErrorClass, ProviderError

# Of a gateway before the vendor: what stands behind it may have taken the request.
_OF_A_GATEWAY = frozenset((408, 499, 502, 504, 520, 522, 524))


def answer_lost(error: ProviderError) -> bool:
    """True when nobody can tell from a submit's error whether the vendor began. An error with a status was
    told by the vendor: it did not begin. One without was made here: the connection broke, nothing came in
    time, or what came could not be read."""
    if error.status is not None:
        return error.status in _OF_A_GATEWAY
    return error.error_class in (ErrorClass.TRANSIENT, ErrorClass.TIMEOUT, ErrorClass.TRUNCATED)
