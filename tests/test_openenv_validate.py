"""`openenv validate`, all of it that a machine without a container engine can do: static, runtime graders, --url."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml
from openenv.core.generic_client import GenericEnvClient
from openenv.validation import Level, run_validation
from openenv.validation.manifest import NormalizedManifestV2
from openenv.validation.types import CheckStatus
from processes import ROOT, ProcessValidation, running

LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "reports")


def openenv(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openenv.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """As `openenv push` would stage it. (Validation fails if a file changes meanwhile, as caches of tests do.)"""
    return Path(shutil.copytree(ROOT, tmp_path / "repository", ignore=LEFT_OUT))


@pytest.mark.slow
def test_static_validation_passes(staged: Path) -> None:
    answer = openenv("validate", "--level", "static", "--json", folder=staged)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    report = json.loads(answer.stdout)
    assert report["verdict"] == "pass"
    manifest = report["manifest"]
    assert manifest["reward"]["range"] == [0.0, 1.0]
    assert manifest["capabilities"]["task_api"] and manifest["capabilities"]["rubric_tree"]
    assert manifest["network"]["mode"] == "no-network" and manifest["resources"]["memory_mb"] == 2048


def test_repository_has_what_openenv_push_requires() -> None:
    from openenv.cli._cli_utils import validate_env_structure

    validate_env_structure(ROOT)


def test_package_carries_the_manifest() -> None:
    assert (ROOT / "src/mlops_debugger/openenv.yaml").read_text() == (ROOT / "openenv.yaml").read_text()


@pytest.mark.slow
# OpenEnv 0.10's collector opens its connection in a way that websockets 17.1 has deprecated.
@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used as a context manager:DeprecationWarning")
def test_runtime_graders_pass(staged: Path, tmp_path: Path) -> None:
    """What the graders measure on a real server; what this provider cannot enforce is skipped by name, not passed.

    A process cannot be cut off from the network without root, so the staged manifest asks for `public`.
    """
    manifest = yaml.safe_load((staged / "openenv.yaml").read_text())
    manifest["validation"]["network"] = {"mode": "public"}
    (staged / "openenv.yaml").write_text(yaml.safe_dump(manifest))
    report = run_validation(
        staged,
        max_level=Level.RUNTIME,
        provider=ProcessValidation(tmp_path),
        artifacts_dir=tmp_path / "bundle",
    )
    results = {result.check_id: result for result in report.results}
    told = {name: (result.status.value, result.evidence) for name, result in results.items()}
    for check in (
        "static.manifest",
        "runtime.startup",
        "runtime.reward_well_formed",
        "runtime.observation_schema",
        "runtime.state_contract",
    ):
        assert results[check].status is CheckStatus.PASS, told
    assert isinstance(report.manifest, NormalizedManifestV2)
    network = results["runtime.network_policy"]
    assert network.status is CheckStatus.SKIP and "network_policy" in network.evidence[0]
    assert not [name for name, result in results.items() if result.status in (CheckStatus.FAIL, CheckStatus.ERROR)]
    assert json.loads((tmp_path / "bundle/cleanup.json").read_text())["completed"]
    steps = json.loads((tmp_path / "bundle/collector-trace.json").read_text())
    plan = json.loads((ROOT / "validation/runtime.json").read_text())
    assert [row["operation"] for row in steps].count("step") == len(plan["actions"])
    assert steps[-2]["response_json"]["data"]["done"] is True


def test_a_process_is_refused_where_the_network_must_be_cut(staged: Path, tmp_path: Path) -> None:
    """The manifest as it is asks for no network; a provider that cannot enforce it must not start it."""
    report = run_validation(staged, max_level=Level.RUNTIME, provider=ProcessValidation(tmp_path))
    startup = next(result for result in report.results if result.check_id == "runtime.startup")
    assert startup.status is CheckStatus.SKIP and "no-network" in startup.evidence[0]
    assert not [entry for entry in tmp_path.iterdir() if entry.name != "repository"]


@pytest.mark.slow
@pytest.mark.parametrize("web", ["false", "true"])
def test_a_running_server_meets_all_six_criteria(bank_path: Path, web: str) -> None:
    """`python -m server.app`, as the container starts it, with the web page and without."""
    with running(MLOPS_DEBUGGER_BANK=str(bank_path), ENABLE_WEB_INTERFACE=web) as server:
        answer = openenv("validate", "--url", server.base_url, "--json")
        report = json.loads(answer.stdout)
        assert answer.returncode == 0 and report["passed"]
        assert report["summary"]["passed_count"] == report["summary"]["total_count"] == 6
        with GenericEnvClient(server.base_url).sync() as session:
            session.reset(seed=1)
            assert session.step({"action_type": "read_config"}).observation["step_count"] == 1
        page = httpx.get(f"{server.base_url}/web/")
        assert page.status_code == (200 if web == "true" else 404)
        # OpenEnv's page would let all visitors drive, and read the state of, one shared environment through these.
        assert {httpx.post(f"{server.base_url}/web/{name}", json={}).status_code for name in ("reset", "step")} <= {
            404,
            405,
        }
        assert httpx.get(f"{server.base_url}/web/state").status_code == 404
