"""Pages that are generated are current, small and whole; CONTRIBUTING.md names what there is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mlops_debugger.cli import app
from mlops_debugger.faults import CLUSTERS, faults
from mlops_debugger.projects import projects

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BLOCKS = re.findall(r"(?m)(?:^    .*\n(?:\n(?=    ))?)+", GUIDE)


@pytest.mark.slow
def test_generated_pages_are_current() -> None:
    told = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "bank_report.py"), "--check"], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("name", projects())
def test_every_project_has_its_page_and_a_small_picture(name: str) -> None:
    page = (DOCS / "projects.md").read_text("utf-8")
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert f"(pictures/{name}.png)" in section
    for key, path in projects()[name].dialect.items():
        assert f"| `{key}` | `{path}` |" in section
    for slot in projects()[name].slots:
        assert f"| `{slot.name}` | {len(slot.spellings)} |" in section
    picture = DOCS / "pictures" / f"{name}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 60_000


def test_every_fault_and_cluster_has_its_section() -> None:
    page = (DOCS / "faults.md").read_text("utf-8")
    for name in faults():
        assert f"\n## {name}\n" in page
    for cluster in CLUSTERS:
        section = page.partition(f"\n### {cluster}\n")[2].partition("\n##")[0]
        for name, fault in faults().items():
            assert (f"| [{name}](#{name})" in section) == (cluster in fault.clusters)


def test_difficulty_has_its_picture_and_three_examples_of_every_tier() -> None:
    page = (DOCS / "difficulty.md").read_text("utf-8")
    assert "(pictures/difficulty.png)" in page and (DOCS / "pictures" / "difficulty.png").stat().st_size < 60_000
    for tier in ("easy", "medium", "hard"):
        section = page.partition(f"\n### {tier}\n")[2].partition("\n##")[0]
        assert section.count("- **") == 3 and "→" in section


def test_the_checklist_names_tests_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from pages.checklist import ITEMS
    from pages.validity import missing_tests, validity_page

    assert missing_tests(ROOT) == []
    assert len(ITEMS) >= 30
    page = (DOCS / "validity.md").read_text("utf-8")
    assert page == validity_page()
    for name in ("reset_burning", "template_diff", "oracle"):
        assert f"| `{name}`" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", file.read_text("utf-8"))
            assert anchor in {heading.lower().replace(",", "").replace(" ", "-") for heading in headings}, target


# ------------------------------------------------------------------ CONTRIBUTING.md


def spoken(program: str) -> list[list[str]]:
    """The words of every command in the guide's blocks that starts with this program."""
    lines = [line.strip() for block in BLOCKS for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if re.match(rf"{re.escape(program)}\s", line)]


def test_commands_of_the_guide_exist() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    commands = spoken(".venv/bin/mlops-debugger")
    assert {words[1] for words in commands} >= {"forge", "show", "calibrate", "evaluate"}
    for words in commands:
        known[words[1]].make_context(words[1], words[2:], resilient_parsing=False)


def test_targets_of_the_guide_exist() -> None:
    targets = set(re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text("utf-8")))
    named = [words[1] for words in spoken("make")]
    assert named and set(named) <= targets


def test_files_of_the_guide_exist() -> None:
    named = [word for words in spoken(".venv/bin/python") for word in words if word.endswith(".py")]
    named += re.findall(r"`((?:src|tests|docs|benchmarks)/[\w./]+|[\w./]+\.(?:md|json|toml))`", GUIDE)
    assert len(named) > 10
    missing = [
        name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "src/mlops_debugger"))
    ]
    assert not missing


def test_excerpts_of_the_guide_are_from_the_files_they_name() -> None:
    """A block under a line "From `FILE`:" stands in that file; `…` stands for lines left out."""
    quoted = re.findall(r"(?m)^From `([\w./]+)`:\n\n((?:    .*\n|\n)+)", GUIDE)
    assert len(quoted) >= 3
    for name, block in quoted:
        text = (ROOT / name).read_text("utf-8")
        for part in re.sub(r"(?m)^    ", "", block).split("…\n"):
            assert part.strip("\n") in text, (name, part)
