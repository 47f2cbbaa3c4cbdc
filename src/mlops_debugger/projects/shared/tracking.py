"""Run tracking: the log, the JSON reports and the record of arrays that every pipeline of the team writes."""

import datetime as dt
import hashlib
import json
import logging
import math
import os
import struct
import sys
import traceback
import warnings

import numpy as np

from logstyles import style_named

OUTPUTS = "outputs"


class Clock:
    """Time of the run, advanced by the work that was done, so that logs can be compared between machines."""

    def __init__(self, started_at):
        self.now = dt.datetime.fromisoformat(started_at)

    def advance(self, seconds):
        self.now += dt.timedelta(seconds=seconds)


class _Formatter(logging.Formatter):
    def __init__(self, clock, style):
        self.clock, self.style = clock, style_named(style, clock.now)

    def format(self, record):
        self.clock.advance(0.003)
        if hasattr(record, "figures"):
            return self.style.epoch(self.clock.now, record.figures)
        trace = relative_paths("".join(traceback.format_exception(*record.exc_info)).rstrip()) if record.exc_info else ""
        return self.style.message(self.clock.now, record.levelname, record.name, record.getMessage(), trace)


def relative_paths(text):
    """Paths below the working folder and below site-packages, shortened as our log viewer shows them."""
    for root in sorted({os.getcwd(), os.path.realpath(os.getcwd())}, key=len, reverse=True):
        text = text.replace(root + os.sep, "")
    for root in sorted({p for p in sys.path if p.endswith(("site-packages", "lib-dynload")) or "lib/python" in p}, key=len, reverse=True):
        text = text.replace(root + os.sep, "")
    return text


class Run:
    """One training run: its clock, its log in one of the styles of logstyles.py, its record."""

    def __init__(self, style="plain"):
        with open("run.json", encoding="utf-8") as handle:
            info = json.load(handle)
        os.makedirs(OUTPUTS, exist_ok=True)
        self.run_id = info["run_id"]
        self.clock = Clock(info["started_at"])
        self.arrays, self.meta = {}, {}
        handler = logging.FileHandler(os.path.join(OUTPUTS, "train.log"), mode="w", encoding="utf-8")
        handler.setFormatter(_Formatter(self.clock, style))
        logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
        logging.captureWarnings(True)
        warnings.simplefilter("default")
        warnings.formatwarning = lambda message, category, filename, lineno, line=None: (
            f"{os.path.basename(filename)}:{lineno}: {category.__name__}: {message}"
        )
        self.log = logging.getLogger("pipeline")
        self.log.info("run %s started", self.run_id)

    def epoch(self, figures):
        """Log what an epoch came to; logstyles.py says which figures there are."""
        logging.getLogger("engine").info("epoch", extra={"figures": figures})

    def record(self, name, values):
        self.arrays[name] = np.asarray(values, dtype="<f8")

    def save_record(self):
        write_record(os.path.join(OUTPUTS, "record.bin"), self.arrays, self.meta)


def write_record(path, arrays, meta):
    """JSON header and little-endian float64, nothing else."""
    arrays = {name: np.ascontiguousarray(values, dtype="<f8") for name, values in arrays.items()}
    header = json.dumps(
        {"arrays": [{"name": name, "shape": list(values.shape)} for name, values in arrays.items()], "meta": meta}
    ).encode("utf-8")
    with open(path, "wb") as handle:
        handle.write(struct.pack("<Q", len(header)))
        handle.write(header)
        for values in arrays.values():
            handle.write(values.tobytes())


def tidy(value):
    """Numbers as we report them: four decimals, or four digits for small ones; NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(key): tidy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [tidy(item) for item in value]
    if isinstance(value, np.ndarray):
        return tidy(value.tolist())
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return round4(float(value)) if math.isfinite(value) else None
    return value


def round4(value):
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 4) if abs(value) >= 0.001 else float(f"{value:.3e}")


def write_json(name, report):
    with open(os.path.join(OUTPUTS, name), "w", encoding="utf-8") as handle:
        json.dump(tidy(report), handle, indent=1)
        handle.write("\n")


def fingerprint(*parts):
    """A short hash of fitted state: arrays to six digits, words as they are."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype.kind in "fiu":
            part = [f"{x:.6g}" for x in np.asarray(part, dtype=float).ravel()]
        elif isinstance(part, np.ndarray):
            part = part.ravel().tolist()
        digest.update(json.dumps(part, default=str).encode("utf-8"))
    return digest.hexdigest()[:12]


def row_hashes(rows):
    """52-bit hashes of raw rows (an iterable of bytes)."""
    return np.array([int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little") >> 12 for row in rows], dtype=float)
