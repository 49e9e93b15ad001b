"""What every row shares: the declarative base, sortable ids and the clock."""

import os
import time

from sqlalchemy.orm import DeclarativeBase


class Row(DeclarativeBase):
    """Base of all row classes; each lives in one file with the queries over it.

    Times are UTC epoch seconds (float). The functions beside the rows never commit:
    whoever opened `Database.transaction()` does.
    """


def new_id() -> str:
    """A UUIDv7 (RFC 9562): ids made later sort later, by the millisecond."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def now() -> float:
    """UTC epoch seconds, as rows hold them."""
    return time.time()
