"""What this machine computes on, and how much memory it has."""

import ctypes
import os
from pathlib import Path

from providers.engine.ledger import Pool

AUTO, CUDA, CPU, FAKE = "auto", "cuda", "cpu", "fake"
SPARE = 2 * 2**30  # bytes of RAM that are never given to models


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
    return [Pool("CPU", CPU, max(_memory("MemTotal") - SPARE, SPARE))]


def host_pool() -> Pool:
    """The host's RAM; what others use of it is external."""
    total = _memory("MemTotal")
    return Pool("RAM", "host", total, external=min(total - _memory("MemAvailable") + SPARE, total))


def _memory(name: str) -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def _gpus() -> list[Pool]:
    """NVIDIA's GPUs by NVML, which comes with the driver; https://docs.nvidia.com/deploy/nvml-api."""
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
    return [_gpu(nvml, number) for number in range(count.value)]


def _gpu(nvml: ctypes.CDLL, number: int) -> Pool:
    handle, memory, name = ctypes.c_void_p(), _Memory(), ctypes.create_string_buffer(96)
    nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle))
    nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    nvml.nvmlDeviceGetName(handle, name, 96)
    return Pool(name.value.decode(errors="replace"), CUDA, memory.total, external=memory.used)
