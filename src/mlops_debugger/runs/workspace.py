"""From a project and a variation to the files of a workspace."""

from __future__ import annotations

import functools
import json
import py_compile
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from py_compile import PycInvalidationMode

from mlops_debugger.edits import CODE, CONFIG, Value, dump_yaml, load_yaml, set_path
from mlops_debugger.errors import ForgeError
from mlops_debugger.projects import Data, Project, Variation


def replace_once(text: str, old: str, new: str, where: str) -> str:
    """Replace the only occurrence of `old`; raises `ForgeError` when there is none or more than one."""
    count = text.count(old)
    if count != 1:
        raise ForgeError(f"{where}: expected exactly one place with {old[:80]!r}, found {count}")
    return text.replace(old, new)


def render(project: Project, variation: Variation) -> dict[str, str]:
    """The healthy sources of a variation: slots in their spellings, config.yaml with values, order and comments."""
    sources = project.sources()
    for slot in project.slots:
        spelling = slot.spellings[variation.spellings.get(slot.name, 0)]
        if spelling != slot.spellings[0]:
            where = f"project {project.id}, slot {slot.name}"
            sources[slot.file] = replace_once(sources[slot.file], slot.spellings[0], spelling, where)
    config = load_yaml(sources[CONFIG])
    for key, value in variation.config.items():
        set_path(config, project.dialect[key], list(value) if isinstance(value, list | tuple) else value)
    order = [
        *variation.style.get("sections", ()),
        *(name for name in config if name not in variation.style.get("sections", ())),
    ]
    comments: Mapping[str, str] = variation.style.get("comments", {})
    blocks = [(f"# {comments[name]}\n" if name in comments else "") + dump_yaml({name: config[name]}) for name in order]
    sources[CONFIG] = "\n".join(blocks)
    return sources


def with_seeds(config_text: str, project: Project, seeds: Mapping[str, Value]) -> str:
    """The config with its seeds (canonical keys) replaced; comments are lost, the values are not."""
    config = load_yaml(config_text)
    for key, value in seeds.items():
        set_path(config, project.dialect[key], value)
    return dump_yaml(config)


def workspace_files(sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str) -> dict[str, bytes]:
    """Sources, run.json and the training files by their paths; serving files come later, when training is over."""
    about = json.dumps({"run_id": run_id, "started_at": started_at})
    texts = {name: text.encode() for name, text in {**sources, "run.json": about}.items()}
    return {**texts, **{f"data/{name}": content for name, content in data.files.items()}}


def write_workspace(folder: Path, sources: Mapping[str, str], data: Data, *, run_id: str, started_at: str) -> None:
    """Write the files of a workspace into a new folder, and what the runs of a project share compiled.

    Not the code that fixes edit: it may be a stranger's, and no process but the run's own shall parse it.
    """
    (folder / "data").mkdir(parents=True, exist_ok=False)
    (folder / "__pycache__").mkdir()
    for name, content in workspace_files(sources, data, run_id=run_id, started_at=started_at).items():
        (folder / name).write_bytes(content)
        compiled = bytecode(name, content) if name.endswith(".py") and name != CODE else None
        if compiled is not None:
            # Where a worker looks, which knows nothing of PYTHONPYCACHEPREFIX.
            tag = sys.implementation.cache_tag
            (folder / "__pycache__" / f"{name.removesuffix('.py')}.{tag}.pyc").write_bytes(compiled)


@functools.lru_cache(maxsize=128)
def bytecode(name: str, source: bytes) -> bytes | None:
    """The source compiled, to be used without another look at it; None where it has an error, for the run to meet."""
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder, name), Path(folder, "compiled")
        path.write_bytes(source)
        mode = PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(target), name, quiet=2, invalidation_mode=mode)
        return target.read_bytes() if target.exists() else None


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write data files into a new folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
