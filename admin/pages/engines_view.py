"""Engine hosts as their room shows them: bars of memory with a legend, models, and what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from admin.i18n import N_, Language
from admin.pages.engine_hosts import Answers, Download, Family, Happened, HostModel, Memory, Pool, Resident
from admin.pages.gallery_view import TASKS
from admin.sizes import size_text

Jobs = Mapping[str, tuple[str, str]]  # a job's id and its prompt, by the model that does it
ABSENT, FAKE, TEXT, VLLM = "absent", "fake", "text", "vllm"
NUMBERED = 6  # percent of a bar below which a part has no number in it
MOST_HISTORY = 40
STATES = {
    "ready": (N_("in memory"), "ok"), "loading": (N_("loading"), "warn"), "cold": (N_("on disk"), ""),
    "asleep": (N_("asleep"), ""), "absent": (N_("not on this disk"), ""), "failed": (N_("failed"), "bad"),
}  # fmt: skip
EVENTS = {
    "reserved": N_("got its room"), "released": N_("gave its room back"),
    "evicted": N_("had to go: room was needed for another"), "died": N_("its process ended"),
    "slept": N_("was put to sleep"), "woke": N_("was woken"),
}  # fmt: skip
FAMILIES = {
    "diffusers": N_("Pictures and videos, and small text models"),
    "transformers": N_("Text without a GPU"), "vllm": N_("Text on an NVIDIA GPU"),
}  # fmt: skip
DOWNLOADS = {
    "waiting": (N_("waiting"), ""), "downloading": (N_("downloading"), "warn"), "done": (N_("done"), "ok"),
    "failed": (N_("failed"), "bad"), "cancelled": (N_("cancelled"), ""),
}  # fmt: skip
REASONS = {
    "model_gone": N_("The hub has no such repository."),
    "auth": N_("The hub wants a permission: accept the model's terms there, and give the host HF_TOKEN."),
    "full_disk": N_("The host's disk is too full for it."),
    "caller": N_("It cannot be downloaded."),
    "transient": N_("The connection to the hub broke. Try again: what is complete is kept."),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: where it begins and how wide it is, in percent; its number in the legend."""

    number: str
    name: str
    size: str
    at: float
    width: float
    tone: str
    also: str = ""

    @property
    def numbered(self) -> bool:
        """Whether its number can be read inside the bar."""
        return bool(self.number) and self.width >= NUMBERED


@dataclass(frozen=True, slots=True)
class Bar:
    """The memory of one device, or the host's RAM."""

    name: str
    told: str
    parts: tuple[Part, ...]
    free: str


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model as a row. `job` is the one that it works on now: its id and its prompt."""

    model: HostModel
    label: str
    does: str
    words: str
    tone: str
    memory: str
    sleeps: bool
    waits: int
    job: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Room:
    """One host with everything that is shown of it; `problem` tells which kind of silence it is."""

    id: str
    name: str
    url: str
    here: bool
    enabled: bool
    problem: str = ""
    words: str = ""
    state: str = ""
    reason: str = ""
    fake: bool = False
    bars: tuple[Bar, ...] = ()
    waiting: tuple[str, ...] = ()
    models: tuple[ModelLine, ...] = ()
    absent: tuple[ModelLine, ...] = ()
    downloads: tuple[Download, ...] = ()
    families: tuple[Family, ...] = ()
    history: tuple[tuple[Happened, str, str], ...] = ()

    @property
    def can_download(self) -> bool:
        """Whether a family is there that brings the hub's client."""
        return any(one.installed for one in self.families)


def told(room: Room, answers: Answers, jobs: Jobs, t: Language) -> Room:
    """A host with what it answered; `jobs` are those that it works on, by model."""
    memory = answers.memory
    labels = {one.name: _label(one) for one in answers.models}
    lines = [_line(one, memory, jobs, t) for one in answers.models]
    return replace(
        room,
        fake=all(device.kind == FAKE for device in memory.devices),
        bars=tuple(_bars(memory, labels, t)),
        waiting=tuple(labels.get(name, name) for name in memory.waiting),
        models=tuple(sorted((one for one in lines if _there(one)), key=_order)),
        absent=tuple(one for one in lines if not _there(one)),
        downloads=answers.downloads,
        families=answers.families,
        history=tuple(
            (one, labels.get(one.model, one.model), t(EVENTS.get(one.event, one.event)))
            for one in memory.history[:MOST_HISTORY]
        ),
    )


def _there(one: ModelLine) -> bool:
    return one.model.state != ABSENT or bool(one.model.unsafe or one.model.why)


def _order(one: ModelLine) -> tuple[bool, bool, str]:
    return bool(one.model.unsafe), one.model.state == "cold", one.label.lower()


def _bars(memory: Memory, labels: Mapping[str, str], t: Language) -> list[Bar]:
    bars = []
    for number, device in enumerate(memory.devices):
        held = [
            (one.model, one.bytes)
            for one in memory.resident
            if one.bytes and (one.device is None or number in one.device)
        ]
        bars.append(_bar(device, _device_name(device, number, memory.devices, t), held, labels, t))
    ram = [(one.model, one.host_bytes) for one in memory.resident if one.host_bytes]
    if ram or memory.devices[0].kind != "cpu":  # on a CPU the device is that RAM already
        bars.append(_bar(memory.host, t("Memory of the machine (RAM)"), ram, labels, t))
    return bars


def _device_name(device: Pool, number: int, devices: Sequence[Pool], t: Language) -> str:
    name = t("Demo device (no GPU: nothing is computed)") if device.kind == FAKE else device.name
    return f"{number}: {name}" if len(devices) > 1 else name


def _bar(
    pool: Pool, name: str, held: Sequence[tuple[str, int]], labels: Mapping[str, str], t: Language
) -> Bar:
    parts: list[Part] = []
    wholes = [(str(place), labels.get(model, model), size, f"s{(place - 1) % 6 + 1}")
              for place, (model, size) in enumerate(held, 1)]  # fmt: skip
    if pool.external:
        wholes.append(("", t("other programs"), pool.external, "ext"))
    at = 0.0
    for number, label, size, tone in wholes:
        width = max(min(100 * size / pool.total, 100 - at), 0)
        parts.append(Part(number, label, size_text(size, t), round(at, 2), round(width, 2), tone))
        at += width
    used = sum(size for _, _, size, _ in wholes)
    free = size_text(max(pool.total - used, 0), t)
    told = t("%(free)s free of %(total)s", free=free, total=size_text(pool.total, t))
    return Bar(name, told, tuple(parts), free)


def _label(one: HostModel) -> str:
    return one.card.label if one.card and one.card.label else one.name


def _line(one: HostModel, memory: Memory, jobs: Jobs, t: Language) -> ModelLine:
    words, tone = STATES.get(one.state, (one.state, ""))
    held = next((resident for resident in memory.resident if resident.model == one.name), None)
    job = jobs.get(one.name) if one.in_use else None
    waits = memory.waiting.index(one.name) + 1 if one.name in memory.waiting else 0
    sleeps = one.family == TEXT and one.kind == VLLM
    return ModelLine(
        one, _label(one), _does(one, t), t(words), tone, _memory(one, held, t), sleeps, waits, job
    )


def _does(one: HostModel, t: Language) -> str:
    if one.card:
        return ", ".join(t(TASKS.get(task, task)) for task in one.card.tasks)
    facts = [t("Text") if one.family == TEXT else one.family, one.quantisation or ""]
    if one.context:
        facts.append(t("context of %(count)s tokens", count=t.number(one.context)))
    return ", ".join(part for part in facts if part)


def _memory(one: HostModel, held: Resident | None, t: Language) -> str:
    if held is None:
        return t("%(size)s on disk", size=size_text(one.size_bytes, t)) if one.size_bytes else ""
    parts = [size_text(held.bytes, t)] if held.bytes else []
    if held.host_bytes:
        parts.append(t("%(size)s of RAM", size=size_text(held.host_bytes, t)))
    if held.device is not None and len(held.device) > 1:
        parts.append(t("on devices %(list)s", list=", ".join(map(str, held.device))))
    return ", ".join(parts)
