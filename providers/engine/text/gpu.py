"""What processes hold on NVIDIA's GPUs, as the driver's own program tells."""

import asyncio
import re
from collections.abc import Sequence

LINE = re.compile(r"^\s*(\d+)\s*,\s*(\d+)\s*$", re.MULTILINE)
QUERY = ("--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")
SECONDS = 10.0


class GpuMemory:
    """Asks `nvidia-smi`. In some containers and under WSL it names no process of ours: an answer of nothing
    is believed only for processes that were seen holding something before."""

    def __init__(self, program: str = "nvidia-smi") -> None:
        self._program = program
        self._seen: set[int] = set()

    async def held(self, pids: Sequence[int]) -> int | None:
        """Bytes over all devices; None where it cannot be told."""
        listed = await self._listed()
        if listed is None:
            return None
        mine = [(pid, size) for pid, size in listed if pid in pids]
        self._seen.update(pid for pid, size in mine if size)
        if not self._seen.intersection(pids):
            return None
        return sum(size for _, size in mine)

    async def _listed(self) -> list[tuple[int, int]] | None:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(self._program, *QUERY, stdout=pipe, stderr=nothing)
        except OSError:
            return None
        try:
            async with asyncio.timeout(SECONDS):
                told, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return None
        if process.returncode or b"N/A" in told:
            return None
        return [(int(pid), int(size) << 20) for pid, size in LINE.findall(told.decode(errors="replace"))]
