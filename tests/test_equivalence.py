"""Right fixes that are not the gold one pass, wrong ones do not: the table is sound, and a sample of it is run."""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from mlops_debugger.bank import Bank, Scenario, starter_bank_path
from mlops_debugger.edits import CODE, CONFIG, apply_fix, load_yaml, parse_fix
from mlops_debugger.errors import EditError, EvaluationError
from mlops_debugger.evaluation.equivalence import OwnTrials, Proposal, Ruling, judge, right_fixes
from mlops_debugger.evaluation.wrong import wrong_fixes
from mlops_debugger.grading import TrialRequest, TrialResult
from mlops_debugger.projects import projects

TABLE = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / "benchmarks" / "equivalent_fixes.yaml").read_text("utf-8")
)


@pytest.fixture(scope="module")
def rights() -> list[list[Proposal]]:
    bank = Bank(starter_bank_path())
    found = list(right_fixes(TABLE, bank))
    bank.close()
    return found


@pytest.fixture(scope="module")
def relatives() -> dict[str, list[Scenario]]:
    bank = Bank(starter_bank_path())
    found: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in bank.scenarios():
        if scenario.fault:
            found[scenario.project].append(scenario)
    bank.close()
    return found


def applied(scenario: Scenario, fix: str) -> tuple[object, str]:
    """What the run would read: the config's values and the code."""
    files = {CONFIG: scenario.artifacts[CONFIG], CODE: scenario.artifacts[CODE]}
    after = apply_fix(parse_fix(fix), files, projects()[scenario.project].dialect)
    return repr(load_yaml(after[CONFIG])), after[CODE]


def test_the_table_is_as_broad_as_it_should_be() -> None:
    assert len({entry["fault"] for entry in TABLE}) >= 30
    assert len({entry["project"] for entry in TABLE}) >= 8


def test_every_entry_has_three_different_right_fixes(rights: list[list[Proposal]]) -> None:
    for entry in rights:
        scenario = entry[0].scenario
        results = {applied(scenario, item.fix) for item in entry} - {applied(scenario, scenario.gold_fix)}
        assert len(results) >= 2 and len({item.fix for item in entry}) >= 3, (scenario.fault, scenario.project)
        assert all(
            result != (repr(load_yaml(scenario.artifacts[CONFIG])), scenario.artifacts[CODE]) for result in results
        )


@pytest.mark.slow
def test_wrong_fixes_are_many_and_of_every_kind(
    rights: list[list[Proposal]], relatives: dict[str, list[Scenario]]
) -> None:
    kinds: set[str] = set()
    for entry in rights[::3]:
        scenario = entry[0].scenario
        wrong = wrong_fixes(scenario, relatives[scenario.project])
        gold = applied(scenario, scenario.gold_fix)
        usable = []
        for item in wrong:
            assert not item.right
            try:
                usable.append(applied(scenario, item.fix))
            except EditError:
                continue
        assert len(wrong) >= 10 and len(usable) >= 10, (scenario.fault, len(usable))
        assert gold not in usable
        kinds |= {item.kind.partition(",")[0] for item in wrong}
    for kind in ("no change of a value", "a remark in the code", "the opposite direction", "no evaluation", "a weaker metric",
                 "training on the test rows", "a smaller test set", "the symptom hidden", "the report rescaled"):  # fmt: skip
        assert kind in kinds
    assert any(kind.startswith("the fix of ") for kind in kinds)


def test_a_trial_that_fails_for_our_own_reasons_is_no_ruling(rights: list[list[Proposal]]) -> None:
    def fails(request: TrialRequest) -> TrialResult:
        return TrialResult("infrastructure", (), "a full disk", request.touches)

    with pytest.raises(EvaluationError, match="a full disk"):
        judge(rights[0][0], fails)


def test_what_is_sent_back_is_a_rejection(rights: list[list[Proposal]]) -> None:
    scenario = rights[0][0].scenario
    ruling = judge(Proposal(scenario, "prose", "make it better", False), lambda request: TrialResult("completed"))
    assert ruling.agrees and not ruling.accepted and "fix language" in ruling.sent_back
    assert not Ruling(Proposal(scenario, "x", "y", True), 0.5).agrees
    assert not Ruling(Proposal(scenario, "x", "y", False), 0.5).agrees


@pytest.mark.slow
def test_a_sample_is_ruled_as_it_should_be(rights: list[list[Proposal]], relatives: dict[str, list[Scenario]]) -> None:
    """Two entries a day, so that the table comes round in three weeks; all of it: benchmarks/equivalence.py."""
    day = int(os.environ.get("EQUIVALENCE_DAY", dt.datetime.now(dt.UTC).date().toordinal()))
    wrongly = []
    with OwnTrials() as trials:
        for number in (2 * day, 2 * day + 1):
            entry = rights[number % len(rights)]
            scenario = entry[0].scenario
            wrong = wrong_fixes(scenario, relatives[scenario.project])
            for item in (*entry[:3], *(wrong[(day + step) % len(wrong)] for step in range(0, len(wrong), 3))):
                ruling = judge(item, trials.run)
                if not ruling.agrees:
                    wrongly.append(
                        (scenario.fault, scenario.project, item.kind, item.fix, ruling.share, ruling.sent_back)
                    )
    assert not wrongly, f"EQUIVALENCE_DAY={day}: {wrongly}"
