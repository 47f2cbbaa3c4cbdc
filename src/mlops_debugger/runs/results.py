"""What a run may use, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlops_debugger.errors import RecordError
from mlops_debugger.runs.records import Record, parse_record

Status = Literal["completed", "crashed", "timeout", "killed"]

# One thread, and no instructions beyond AVX2 (x86-64 of 2013 and later): the same numbers in any process, and nearly
# the same on any machine. Older instruction sets cost a third more CPU (LOG.md). Freed memory is kept, since a run asks
# for the same sizes again at every step and fresh pages cost time.
PINS = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    `seconds` of wall time (and two more of CPU time), `memory` in bytes beyond what the warm worker has, `output` in
    bytes of any file, and, in a sandbox, of all files together, of which there may be `files`.
    """

    seconds: float = 40.0
    memory: int = 2 * 1024**3
    output: int = 128 * 1024**2
    files: int = 1024


@dataclass(frozen=True)
class RunResult:
    """A run as the parent found it: how it ended, what it wrote, what it predicted."""

    status: Status
    outputs: Mapping[str, str]
    record: Record
    predictions: Mapping[str, Record]
    seconds: float
    cpu: float
    console: str = field(repr=False, default="")

    @property
    def crashed(self) -> bool:
        return self.status != "completed"


TEXTS = ("train.log", "dataset_stats.json", "eval_results.json")
MAX_TEXT_BYTES = 4 * 1024 * 1024
_CONSOLE = "console.txt"


def assemble(
    status: Status, files: Mapping[str, bytes | None], serving: Iterable[str], seconds: float, cpu: float
) -> RunResult:
    """The result of a run from its output files; one that finished without its records has crashed."""
    record, broken = _record("record.bin", files)
    predictions = {}
    for name in serving:
        predictions[name], missing = _record(f"{name}.bin", files)
        broken = broken or missing
    if status == "completed" and broken:
        status = "crashed"
    texts = {name: _text(raw) for name in TEXTS if (raw := files.get(name)) is not None}
    return RunResult(status, texts, record, predictions, seconds, cpu, _text(files.get(_CONSOLE) or b""))


def _record(name: str, files: Mapping[str, bytes | None]) -> tuple[Record, bool]:
    raw = files.get(name)
    try:
        return (Record(), True) if raw is None else (parse_record(raw, name), False)
    except RecordError:
        return Record(), True


def _text(raw: bytes) -> str:
    return raw[:MAX_TEXT_BYTES].decode("utf-8", "replace")
