"""What an installation may be like: python -m tests.engine.family_standin ROOT NAME.

The family "tiny" is really installed, from a wheel in ROOT; the others do as they are called.
"""

import subprocess
import sys
import time
from pathlib import Path

from providers.engine import families
from tests.engine.test_families import TINY

NONSENSE = (
    "not JSON", "[]", "null", "{}", '{"event": "step"}', '{"event": "plan", "packages": "many"}',
    '{"event": 7}', "[" * 5000, "\x00\x01",
)  # fmt: skip


def main(root: Path, name: str) -> int:
    if name == "nonsense":
        sys.stdout.buffer.write(b"\xff\xfe\n" + b"x" * 1_000_000 + b"\n")
        print(*NONSENSE, sep="\n", flush=True)
    if name == "slow":
        asleep = subprocess.Popen(["sleep", "60"])
        (root / "asleep").write_text(f"{asleep.pid}")
        families._json_line("step", {"family": name, "step": 1, "steps": 2, "text": "sleeping"})
        time.sleep(60)
    if name == "breaks":
        print("Segmentation fault", flush=True)
        return 139
    if name == "liar":  # it ends well and says nothing
        return 0
    families.FAMILIES = {"tiny": TINY}
    return families.main(["--json", "--root", str(root), "install", "tiny"])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
