"""A stranger's folder, read with bounds: so many files, so deep, so large, regular files inside the folder alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlops_debugger.edits import load_yaml
from mlops_debugger.errors import IntakeError

MAX_TEXT = 16 * 1024 * 1024
MAX_BINARY = 64 * 1024 * 1024
MAX_FILES = 20_000
MAX_DEPTH = 8
_SKIPPED = frozenset(("node_modules", "__pycache__", "site-packages", "venv"))


@dataclass(frozen=True)
class Folder:
    """Files below `root` by relative path with slashes, sorted; `notes` say what was left out and why."""

    root: Path
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def named(self, *names: str) -> list[str]:
        """The files with one of these names, wherever they lie."""
        return [file for file in self.files if file.rpartition("/")[2] in names]

    def path(self, file: str) -> Path:
        return self.root / file

    def modified(self, file: str) -> float:
        """When the file was written, in seconds; 0 where that cannot be told."""
        try:
            return self.path(file).stat().st_mtime
        except OSError:
            return 0.0

    def bytes(self, file: str, limit: int = MAX_BINARY) -> bytes:
        """The file's content; raises `IntakeError` where it has more than `limit` bytes or cannot be read."""
        try:
            with self.path(file).open("rb") as stream:
                content = stream.read(limit + 1)
        except OSError as error:
            raise IntakeError(f"{file}: expected a readable file, found none ({error.strerror}): check it") from None
        if len(content) > limit:
            raise IntakeError(f"{file}: expected at most {limit} bytes, found more: give a shorter file")
        return content

    def text(self, file: str, limit: int = MAX_TEXT) -> str:
        """The file as UTF-8 text; raises `IntakeError` where it is too long or is no text."""
        content = self.bytes(file, limit)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise IntakeError(
                f"{file}: expected UTF-8 text, found another byte at {error.start}: save it as UTF-8"
            ) from None
        if "\0" in text:
            raise IntakeError(f"{file}: expected text, found a zero byte: is it a binary file?")
        return text

    def json(self, file: str) -> dict[str, Any]:
        """The file as a JSON object; raises `IntakeError` where it is none."""
        try:
            found = json.loads(self.text(file))
        except (ValueError, RecursionError) as error:
            raise IntakeError(f"{file}: expected JSON, found something else ({error.__class__.__name__})") from None
        if not isinstance(found, dict):
            raise IntakeError(f"{file}: expected a JSON object, found {type(found).__name__}")
        return found

    def yaml(self, file: str) -> dict[str, Any]:
        """The file as a YAML mapping (plain data, no tags, no aliases); raises `IntakeError` where it is none."""
        try:
            found = load_yaml(self.text(file))
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())[:160]
            raise IntakeError(f"{file}: expected plain YAML without tags and aliases: {reason}") from None
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise IntakeError(f"{file}: expected a YAML mapping, found {type(found).__name__}")
        return {str(key): value for key, value in found.items()}


def open_folder(path: Path) -> Folder:
    """List a run's folder; a single file stands for a folder that holds nothing else.

    Links that lead out of the folder, linked folders, hidden folders and what is no regular file are left out.
    Raises `IntakeError` where there is nothing to list.
    """
    try:
        root = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise IntakeError(
            f"{_shown(path)}: expected the folder of a run, found nothing there: check the path"
        ) from None
    if root.is_file():
        return Folder(root.parent, (root.name,))
    if not root.is_dir():
        raise IntakeError(f"{_shown(path)}: expected the folder of a run, found something else: check the path")
    notes: list[str] = []
    files: list[str] = []
    try:
        for file in _walk(root, root, 0, notes):
            files.append(file)
            if len(files) >= MAX_FILES:
                notes.append(f"only the first {MAX_FILES} files were looked at: point at the run's own folder")
                break
    except OSError as error:
        raise IntakeError(f"{_shown(path)}: expected a readable folder, found {error.strerror}") from None
    return Folder(root, tuple(sorted(files)), tuple(notes))


def _shown(path: Path) -> str:
    return str(path).encode("utf-8", "replace").decode()


def _walk(root: Path, folder: Path, depth: int, notes: list[str]) -> Iterator[str]:
    folders: list[Path] = []
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path = Path(entry.path)
        if not _printable(entry.name):
            notes.append(f"a file with a name that is no UTF-8 was left out in {_relative(root, folder)}")
        elif entry.is_symlink():
            if _inside(root, path):
                yield _relative(root, path)
            elif not path.is_dir():
                notes.append(f"{_relative(root, path)} is a link that leads nowhere in this folder: it was left out")
        elif entry.is_file(follow_symlinks=False):
            yield _relative(root, path)
        elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and entry.name not in _SKIPPED:
            folders.append(path)
    if depth >= MAX_DEPTH and folders:
        notes.append(f"folders more than {MAX_DEPTH} deep were left out")
        return
    for path in folders:
        try:
            yield from _walk(root, path, depth + 1, notes)
        except PermissionError:
            notes.append(f"{_relative(root, path)} may not be read: it was left out")


def _printable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _inside(root: Path, link: Path) -> bool:
    """Does the link lead to a regular file of the same folder?"""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return False
    return target.is_file() and target.is_relative_to(root)


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
