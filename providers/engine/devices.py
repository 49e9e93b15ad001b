"""What this machine computes on, how much memory it has, and what others take of it."""

import ctypes
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from providers.engine.holdings import Pool

AUTO, CUDA, CPU, FAKE = "auto", "cuda", "cpu", "fake"
SPARE = 2 * 2**30  # bytes of RAM that are never given to models
UNKNOWN = 2**64 - 1  # what NVML says of a process whose memory it cannot see
MOST_PROCESSES = 256
logger = logging.getLogger(__name__)


class Ram(Pool):
    """The host's memory; its `external` is what neither we nor our children hold."""

    def look(self, alone: bool) -> None:
        """Measure what others hold."""
        ours = sum(anonymous(pid) for pid in descendants(os.getpid()))
        self.measured = self.total - _memory("MemAvailable")
        self.external = min(max(self.measured - ours, 0) + SPARE, self.total)


class Gpu(Pool):
    """One of NVIDIA's GPUs, by NVML, which comes with the driver: https://docs.nvidia.com/deploy/nvml-api."""

    def attach(self, nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        """Ask this handle from now on."""
        self._nvml, self._handle = nvml, handle

    def look(self, alone: bool) -> None:
        """Measure what others hold: all that is used less our processes' share. Where NVML cannot tell that
        (in some containers, under WSL) only a look while nothing of ours is loaded counts."""
        memory, count = _Memory(), ctypes.c_uint(MOST_PROCESSES)
        running = (_Process * MOST_PROCESSES)()
        if self._nvml.nvmlDeviceGetMemoryInfo(self._handle, ctypes.byref(memory)):
            return
        self.measured = int(memory.used)
        failed = self._nvml.nvmlDeviceGetComputeRunningProcesses_v3(
            self._handle, ctypes.byref(count), running
        )
        by_pid = {} if failed else {one.pid: one.used for one in running[: count.value]}
        found = external_of(memory.used, by_pid, {os.getpid(), *descendants(os.getpid())}, alone)
        if found is not None:
            self.external = found


def external_of(used: int, by_pid: Mapping[int, int], ours: set[int], alone: bool) -> int | None:
    """What others hold of a device; None where it cannot be told now."""
    mine = {pid: size for pid, size in by_pid.items() if pid in ours}
    if alone and not mine:
        return used
    if not mine or UNKNOWN in mine.values():
        return None
    return max(used - sum(mine.values()), 0)


def pools(device: str, fake_bytes: int) -> list[Pool]:
    """The devices: every GPU, or the host's RAM as the only one, or one that does not exist. Without a GPU
    `auto` is the fake device: what a GPU would take minutes for, a CPU takes hours for."""
    if device == FAKE:
        return [Pool("fake device", FAKE, fake_bytes)]
    gpus = _gpus() if device in (AUTO, CUDA) else []
    if gpus:
        return gpus
    if device == AUTO:
        return [Pool("fake device", FAKE, fake_bytes)]
    return [_ram("CPU", CPU)]


def host_pool() -> Pool:
    """The host's RAM; what others use of it is external."""
    return _ram("RAM", "host")


def descendants(pid: int) -> list[int]:
    """The children of a process, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent(entry)
            children.setdefault(parent, []).append(int(entry.name))
    found, rest = [], [pid]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found


def anonymous(pid: int) -> int:
    """Bytes of RAM that a process has for itself alone; what it shares with its parent may be among them."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0  # it has just ended
    return next(
        (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:")), 0
    )


def _parent(entry: Path) -> int:
    try:
        return int(
            (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1]
        )
    except (OSError, IndexError, ValueError):
        return 0  # it has just ended


def _ram(name: str, kind: str) -> Ram:
    ram = Ram(name, kind, _memory("MemTotal"))
    ram.look(alone=True)
    return ram


def _memory(name: str) -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


def _gpus() -> list[Pool]:
    if not os.path.exists("/dev/nvidiactl"):
        return []
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return []
    if nvml.nvmlInit_v2():
        return []
    count = ctypes.c_uint()
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    return [_gpu(nvml, number) for number in allowed(os.environ.get("CUDA_VISIBLE_DEVICES"), count.value)]


def allowed(visible: str | None, count: int) -> list[int]:
    """The GPUs that the host may use, of so many: those whose numbers CUDA_VISIBLE_DEVICES lists, in NVML's
    order, which our children are told to use (CUDA_DEVICE_ORDER)."""
    if visible is None:
        return list(range(count))
    listed = [one.strip() for one in visible.split(",")]
    if listed == [""] or not all(one.isdecimal() for one in listed):
        logger.warning("CUDA_VISIBLE_DEVICES=%r is no list of numbers: no GPU is used", visible)
        return []
    return sorted({int(one) for one in listed if int(one) < count})


def _gpu(nvml: ctypes.CDLL, number: int) -> Gpu:
    handle, memory, name = ctypes.c_void_p(), _Memory(), ctypes.create_string_buffer(96)
    nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle))
    nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    nvml.nvmlDeviceGetName(handle, name, 96)
    gpu = Gpu(name.value.decode(errors="replace"), CUDA, memory.total, memory.used, visible=f"{number}")
    gpu.attach(nvml, handle)
    return gpu
