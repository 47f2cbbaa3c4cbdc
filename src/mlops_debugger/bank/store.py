"""One embedded file: SQLite, a blob a scenario (zstd with a dictionary trained on the bank), a checksum each."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import zstandard
from pydantic import ValidationError

from mlops_debugger.bank.records import Scenario, Split, Tier
from mlops_debugger.errors import BankError

FORMAT = 1
_DICTIONARY_BYTES = 110 * 1024
_LEVEL = 19
KEPT = 768
"""Scenarios that a bank keeps in memory once read, some 90 KB each: the train split of the starter bank fits. Reading
one takes 230 µs of CPU, more than all steps of an episode together."""
_COLUMNS = ("project", "fault", "site", "category", "tier", "split", "silent")


def starter_bank_path() -> Path:
    """The bank that ships in the package."""
    return Path(str(resources.files("mlops_debugger") / "bank" / "starter.sqlite"))


@dataclass(frozen=True)
class Entry:
    """A row of the index: what can be known of a scenario without reading it. `fault` is None for a control."""

    scenario_id: str
    project: str
    fault: str | None
    site: str | None
    category: str | None
    tier: Tier
    split: Split
    silent: bool


class Bank:
    """Read access to a bank; safe to share between threads and to open in many processes.

    The `kept` scenarios that were asked for last stay in memory and are shared: never hand a part of one out that can
    be changed. Raises `BankError` where the file is missing, damaged or of another format.
    """

    def __init__(self, path: Path | str, *, kept: int = KEPT) -> None:
        self.path = Path(path)
        self._kept: OrderedDict[str, Scenario] = OrderedDict()
        self._most = kept
        # A decompressor holds state while it works: two threads inside it crash the process.
        self._lock = threading.Lock()
        if not self.path.is_file():
            raise BankError(
                f"expected a bank at {self.path}, found no file: forge one with 'mlops-debugger forge --out FILE'"
            )
        try:
            self._db = sqlite3.connect(f"file:{self.path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            self.manifest: dict[str, Any] = {
                key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM manifest")
            }
            if self.manifest.get("format") != FORMAT:
                raise BankError(
                    f"{self.path} has format {self.manifest.get('format')}, expected {FORMAT}: forge it again"
                )
            (dictionary,) = self._db.execute("SELECT value FROM dictionary").fetchone()
            self._decompressor = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))
            rows = self._db.execute(f"SELECT id, {', '.join(_COLUMNS)} FROM scenario ORDER BY id")  # noqa: S608
            self.entries = tuple(
                Entry(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bool(row[7])) for row in rows
            )
        except (sqlite3.DatabaseError, TypeError) as error:
            raise BankError(
                f"{self.path} is not a readable bank ({error}): forge it again or restore the file"
            ) from None

    def __len__(self) -> int:
        return len(self.entries)

    def close(self) -> None:
        self._db.close()

    def select(
        self, *, split: str | None = None, tier: str | None = None, controls: bool | None = None
    ) -> tuple[Entry, ...]:
        """The entries of a split and tier (None for any) by id; `controls` keeps those alone, or drops them."""
        return tuple(
            entry
            for entry in self.entries
            if (split is None or entry.split == split)
            and (tier is None or entry.tier == tier)
            and (controls is None or (entry.fault is None) == controls)
        )

    def held_out_faults(self) -> frozenset[str]:
        """Faults whose site occurs in the test split alone."""
        elsewhere = {entry.site for entry in self.entries if entry.split != "test"}
        return frozenset(entry.fault for entry in self.entries if entry.fault and entry.site not in elsewhere)

    def get(self, scenario_id: str) -> Scenario:
        """One scenario, from memory where it was asked for lately; raises `BankError`."""
        with self._lock:
            if (scenario := self._kept.get(scenario_id)) is not None:
                self._kept.move_to_end(scenario_id)
                return scenario
        scenario = self.read(scenario_id)
        with self._lock:
            self._kept[scenario_id] = scenario
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return scenario

    def read(self, scenario_id: str) -> Scenario:
        """Read one scenario from the file, checksum verified; raises `BankError`."""
        try:
            with self._lock:
                row = self._db.execute("SELECT blob, sha256 FROM scenario WHERE id = ?", (scenario_id,)).fetchone()
                raw = self._decompressor.decompress(row[0]) if row else b""
            if row is None:
                raise BankError(
                    f"{self.path} has no scenario {scenario_id!r}: list them with 'mlops-debugger bank FILE --json'"
                )
            if hashlib.sha256(raw).hexdigest() != row[1]:
                raise BankError(f"scenario {scenario_id} of {self.path} fails its checksum: restore the file")
            return Scenario.model_validate_json(raw)
        except (sqlite3.DatabaseError, zstandard.ZstdError, ValidationError) as error:
            raise BankError(f"scenario {scenario_id} of {self.path} cannot be read ({str(error)[:200]})") from None

    def scenarios(self) -> Iterator[Scenario]:
        """Every scenario, in the order of the ids; none is kept in memory."""
        for entry in self.entries:
            yield self.read(entry.scenario_id)

    def tries(self) -> list[str]:
        """What its forging kept of every try, as JSON; empty in banks that are older than that."""
        with self._lock:
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'try'").fetchone():
                return []
            blobs = self._db.execute("SELECT blob FROM try ORDER BY number")
            return [self._decompressor.decompress(blob).decode() for (blob,) in blobs]


class BankWriter:
    """Writes a whole bank at once, to a temporary file that is then moved into place."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def write(self, scenarios: Sequence[Scenario], manifest: dict[str, Any], tries: Sequence[str] = ()) -> None:
        """Write the scenarios (sorted by id), the manifest and, as JSON, the tries that the scenarios come from.

        Raises `BankError` when there is nothing to write.
        """
        if not scenarios:
            raise BankError("a bank has at least one scenario, found none: was everything rejected?")
        ordered = sorted(scenarios, key=lambda scenario: scenario.scenario_id)
        raw = [scenario.model_dump_json().encode() for scenario in ordered]
        dictionary = _train(raw)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=dictionary)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        db = sqlite3.connect(temporary)
        try:
            db.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA page_size=4096;"
                "CREATE TABLE manifest(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
                "CREATE TABLE dictionary(value BLOB NOT NULL);"
                "CREATE TABLE scenario(id TEXT PRIMARY KEY, project TEXT NOT NULL, fault TEXT, site TEXT,"
                " category TEXT, tier TEXT NOT NULL, split TEXT NOT NULL, silent INTEGER NOT NULL,"
                " sha256 TEXT NOT NULL, blob BLOB NOT NULL)"
                " WITHOUT ROWID;"
                "CREATE TABLE try(number INTEGER PRIMARY KEY, blob BLOB NOT NULL);"
            )
            full = {**manifest, "format": FORMAT, "scenarios": len(ordered)}
            db.executemany("INSERT INTO manifest VALUES (?, ?)", [(k, json.dumps(v)) for k, v in sorted(full.items())])
            db.execute("INSERT INTO dictionary VALUES (?)", (dictionary.as_bytes(),))
            db.executemany(
                "INSERT INTO scenario VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        scenario.scenario_id,
                        scenario.project,
                        scenario.fault,
                        scenario.site,
                        scenario.answers[0].categories[0] if scenario.answers else None,
                        scenario.tier,
                        scenario.split,
                        int(scenario.silent),
                        hashlib.sha256(data).hexdigest(),
                        compressor.compress(data),
                    )
                    for scenario, data in zip(ordered, raw, strict=True)
                ],
            )
            db.executemany(
                "INSERT INTO try(blob) VALUES (?)", [(compressor.compress(text.encode()),) for text in tries]
            )
            db.commit()
            db.execute("VACUUM")
        finally:
            db.close()
        temporary.replace(self.path)


def _train(samples: Sequence[bytes]) -> zstandard.ZstdCompressionDict:
    """A dictionary of the samples; of their raw text where there are too few to train on."""
    if len(samples) >= 32:
        return zstandard.train_dictionary(_DICTIONARY_BYTES, list(samples[:400]))
    joined = b"".join(samples[:4])[-_DICTIONARY_BYTES:]
    return zstandard.ZstdCompressionDict(joined, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
