"""Parquet tables, through pyarrow where it is installed: flat columns alone, bounded by what they hold in memory.

A Parquet file may bring a schema of Arrow's with extension types, which pyarrow before 14.0.1 unpickled, and metadata
of pandas, which names types to make. Neither is used: older versions are refused, columns of other than plain types are
left out, and the table is built from its columns alone.
"""

from __future__ import annotations

import importlib
import io
import re
from typing import Any

from mlops_debugger.errors import IntakeError

MAX_UNPACKED = 512 * 1024 * 1024
_SAFE_FROM = (14, 0, 1)
_BATCH = 4_096
_MAX_THRIFT = 16 * 1024 * 1024
_INDEX = re.compile(r"__index_level_\d+__")


def read_parquet(content: bytes, file: str, max_rows: int, max_columns: int, notes: list[str]) -> Any:
    """The table as a data frame, words as objects. Raises `IntakeError` without pyarrow, and where it is no table."""
    arrow, parquet = _pyarrow(file)
    try:
        opened = parquet.ParquetFile(io.BytesIO(content), **_LIMITS)
        meta = opened.metadata
        if meta.num_rows > max_rows or meta.num_columns > max_columns:
            raise IntakeError(
                f"{file}: expected at most {max_rows} rows and {max_columns} columns, found {meta.num_rows} and "
                f"{meta.num_columns}"
            )
        schema = opened.schema_arrow
        if len(set(schema.names)) < len(schema.names):
            raise IntakeError(f"{file}: expected a name for every column, each once, found one twice")
        kept = [field.name for field in schema if _plain(arrow, field.type) and not _INDEX.fullmatch(field.name)]
        left_out = [name for name in schema.names if name not in kept and not _INDEX.fullmatch(name)]
        if left_out:
            notes.append(f"{file}: {', '.join(left_out[:5])}: columns of other than plain types were left out")
        if not kept:
            raise IntakeError(f"{file}: expected columns of numbers, words or times, found none")
        words = [name for name in kept if arrow.types.is_string(schema.field(name).type)]
        return _frame(arrow, parquet.ParquetFile(io.BytesIO(content), read_dictionary=words, **_LIMITS), kept, file)
    except (arrow.ArrowException, ValueError, TypeError, KeyError, OSError, OverflowError, MemoryError) as error:
        raise IntakeError(f"{file}: expected a Parquet table, found something else ({type(error).__name__})") from None


_LIMITS: dict[str, Any] = {"thrift_string_size_limit": _MAX_THRIFT, "thrift_container_size_limit": 1_000_000}


def _pyarrow(file: str) -> tuple[Any, Any]:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise IntakeError(
            f"{file}: reading Parquet takes pyarrow, which is not installed: pip install pyarrow, or save it as CSV"
        ) from None
    found = tuple(int(part) for part in re.findall(r"\d+", str(arrow.__version__))[:3])
    if found < _SAFE_FROM:
        raise IntakeError(
            f"{file}: expected pyarrow from 14.0.1 on, found {arrow.__version__}, which runs code that a file brings: "
            "upgrade it, or save the table as CSV"
        )
    return arrow, parquet


def _plain(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    if types.is_dictionary(kind):
        return _plain(arrow, kind.value_type) and not types.is_dictionary(kind.value_type)
    tests = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_string,
             types.is_large_string, types.is_date, types.is_timestamp)  # fmt: skip
    return any(test(kind) for test in tests)


def _frame(arrow: Any, opened: Any, kept: list[str], file: str) -> Any:
    """Batch by batch, so that pages that unpack to more than they declare end here and not in memory."""
    batches, before = [], arrow.total_allocated_bytes()
    for batch in opened.iter_batches(batch_size=_BATCH, columns=kept, use_threads=False):
        if arrow.total_allocated_bytes() - before > MAX_UNPACKED:
            raise IntakeError(f"{file}: expected at most {MAX_UNPACKED} bytes when unpacked, found more")
        batches.append(batch)
    if not batches:
        raise IntakeError(f"{file}: expected rows, found none")
    table = arrow.Table.from_batches(batches).unify_dictionaries()
    for place, field in enumerate(table.schema):
        if arrow.types.is_decimal(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(arrow.float64()))
    frame = table.to_pandas(ignore_metadata=True, use_threads=False, date_as_object=False)
    for name in frame.columns:
        if str(frame[name].dtype) == "category":
            frame[name] = frame[name].astype(object)
    return frame
