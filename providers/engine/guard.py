"""The first words of a child: be killed when the host dies, then become the program.

Run as a script with the standard library alone: `python -I -S guard.py PROGRAM ARGUMENTS...`.
"""

import ctypes
import os
import signal
import sys

SET_DEATH_SIGNAL = 1


def main(argv: list[str]) -> None:
    """Become the program. Exits with 127 where it cannot be run."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"{argv[0]} cannot be run: {error}")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
