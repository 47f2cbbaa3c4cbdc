"""docs/integrations.md: every block is run as it stands there, or named here with the reason why it is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlops_debugger.openenv.app import create_server_app, local_server
from mlops_debugger.openenv.trials import AsyncTrials

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "integrations.md").read_text("utf-8")
sys.path.insert(0, str(ROOT / "examples"))
from scripted_endpoint import scripted_endpoint  # noqa: E402

_BLOCK = re.compile(r"^(?:<!-- (?P<marker>[^>]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
NOT_RUN = {
    "serves until it is interrupted",
    "builds an environment of its own",
    "a chat client reads it; tests/test_mcp.py starts the server by it",
    "belongs into an environment of its own; make verifiers runs the same file",
    "found only where the package is installed; tests/test_openenv_client.py installs a wheel and does this",
    "needs Docker",
}
# A module of each extra; blocks are left out where it is not installed.
NEEDS = {"trl": "trl", "datasets": "datasets", "gymnasium": "gymnasium", "inspect eval": "inspect_ai"}


@dataclass(frozen=True)
class Block:
    marker: str
    language: str
    text: str

    @property
    def needs(self) -> set[str]:
        """What must stand by: server, endpoint, model."""
        return set(self.marker.removeprefix("runs: ").split(", ")[1:])


BLOCKS = [Block(found["marker"] or "", found["language"], found["text"]) for found in _BLOCK.finditer(PAGE)]
RUN = [block for block in BLOCKS if block.marker.startswith("runs: ")]


def test_every_block_says_whether_it_is_run() -> None:
    assert len(RUN) >= 10 and PAGE.count("\n```") == 2 * len(BLOCKS)
    for block in BLOCKS:
        kind, _, rest = block.marker.partition(": ")
        if kind == "runs":
            assert rest.split(", ")[0] == block.language and block.needs <= {"server", "endpoint", "model"}
        elif kind == "file":
            assert block.text == (ROOT / rest).read_text("utf-8")
        else:
            assert kind == "not run" and rest in NOT_RUN, block.text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the blocks run, one after the other; the examples are there as in the repository."""
    place = tmp_path_factory.mktemp("integrations")
    for name in ("examples", "src"):
        (place / name).symlink_to(ROOT / name)
    return place


@pytest.fixture(scope="module")
def server(bank_path: Path) -> Iterator[str]:
    with AsyncTrials() as trials, local_server(create_server_app(bank_path, trials)) as url:
        yield url


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with scripted_endpoint() as url:
        yield url


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model of the TRL example, saved as a model that is loaded by its name."""
    folder = tmp_path_factory.mktemp("model")
    make = (
        "import sys, trl_grpo; words = trl_grpo.tokenizer(); words.save_pretrained(sys.argv[1]); "
        "trl_grpo.model(words).save_pretrained(sys.argv[1])"
    )
    paths = f"{ROOT / 'src'}:{ROOT / 'examples'}"
    subprocess.run([sys.executable, "-c", make, folder], env={**os.environ, "PYTHONPATH": paths}, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("block", RUN, ids=[f"{number}-{block.language}" for number, block in enumerate(RUN)])
def test_a_block_runs(block: Block, folder: Path, request: pytest.FixtureRequest) -> None:
    for sign, module in NEEDS.items():
        if re.search(rf"\b{sign}\b", block.text):
            pytest.importorskip(module, reason="its extra is not installed")
    text = block.text
    if "server" in block.needs:
        text = text.replace("http://127.0.0.1:8000", request.getfixturevalue("server"))
    if "endpoint" in block.needs:
        text = text.replace("http://127.0.0.1:9000/v1", request.getfixturevalue("endpoint"))
    if "model" in block.needs:
        # One step on a CPU instead of a training; a model of random weights never ends by itself.
        text = text.replace("Qwen/Qwen3-4B", str(request.getfixturevalue("model")))
        text = text.replace("max_steps=500", "max_steps=1, use_cpu=True, bf16=False")
        text = text.replace("16_000", "16")
    assert text != block.text or not block.needs
    command = {"python": [sys.executable, "-c", text], "bash": ["bash", "-euo", "pipefail", "-c", text]}[block.language]
    if block.language == "python":  # a file, since processes that are spawned import it
        script = folder / "block.py"
        script.write_text(text)
        command = [sys.executable, str(script)]
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "cache"),
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()
