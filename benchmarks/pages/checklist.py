"""The Agentic Benchmark Checklist, item by item: what this project does, the tests that prove it, what is not proven."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """An item of the checklist (the paper's numbers). `tests` are FILE::FUNCTION below tests/; `open` what they leave."""

    number: str
    asks: str
    answer: str
    tests: tuple[str, ...] = ()
    open: str = ""


ITEMS = (
    Item(
        "a.1", "Equivalent answers score alike",
        "values are YAML, paths are canonical or the team's, names are compared without case and separators",
        ("test_edits.py::test_values_are_yaml_1_2", "test_edits.py::test_both_dialects_reach_the_same_key",
         "test_field_row.py::test_case_and_separators_do_not_matter", "test_field_row.py::test_golden_cases"),
    ),
    Item(
        "a.2", "Filler words change nothing", "prose weighs nothing",
        ("test_grading.py::test_prose_weighs_nothing",),
    ),
    Item(
        "b.1", "Negation earns nothing", "a name inside of a sentence is no name",
        ("test_field_row.py::test_negation_and_prose_around_a_name_earn_nothing",),
    ),
    Item(
        "b.2", "Listing earns nothing", "several names score by precision; below a quarter they open neither category nor file",
        ("test_field_row.py::test_listing_dilutes",
         "test_grading.py::test_neither_lists_nor_fixes_of_everything_open_category_and_file",
         "test_exploits.py::test_a_list_of_everything_earns_nothing_worth_having"),
    ),
    Item(
        "b.3", "Guessing earns little", "the table above: `constant`, `best_constant`, `majority_per_project`, `random`",
        ("test_exploits.py::test_every_exploit_plays_to_the_end_without_breaking",),
        "5 % is a goal for the best constant; the table has what was measured, with its interval",
    ),
    Item(
        "c.1–2", "Judges that are language models are checked", "there is none: grading is a pure function, and the fix is run",
        ("test_grading.py::test_the_gold_answer_scores_one", "test_exploits.py::test_every_exploit_plays_to_the_end_without_breaking"),
        "orders to a grader are tried by one agent with five texts, not with a corpus of five hundred",
    ),
    Item(
        "d.1", "The grader is right", "gold passes, no-op and wrong fixes fail, on sampled scenarios of the bank",
        ("test_agents.py::test_oracle_scores_one_on_sampled_scenarios", "test_equivalence.py::test_a_sample_is_ruled_as_it_should_be"),
        "the oracle played every scenario of the bank once, and two wrong fixes of every broken run were tried (LOG.md); tests sample",
    ),
    Item(
        "d.2", "The grader is tested through", "unit tests of every row, guard and bar",
        ("test_grading.py::test_verdict_of_a_seed", "test_grading.py::test_a_guard_makes_a_good_number_worthless",
         "test_grading.py::test_touches_are_what_the_texts_show", "test_rubric_edges.py::test_a_guard_says_what_it_found",
         "test_trials.py::test_a_right_fix_gives_the_twins_figures_on_every_seed"),
        "mutation testing (`mutmut run`) is measured apart: 94.6 % killed on 2026-11-27",
    ),
    Item(
        "e.1–3", "Input is fuzzed", "any text is a fix or a clear error, any answer is worth between 0 and 1, any action is answered",
        ("test_edits.py::test_any_mixture_of_the_language_is_used_or_refused", "test_edits.py::test_any_text_is_used_or_refused",
         "test_edits.py::test_any_value_survives_being_written_and_applied",
         "test_edits.py::test_hostile_texts_are_used_or_refused_with_bounded_work",
         "test_environment.py::test_no_action_ever_fails", "test_exploits.py::test_broken_input_costs_a_step_and_ends_nothing"),
        "fuzzing stops at the verdict: values near a bar are unit tested and not searched for",
    ),
    Item(
        "f.1", "Grading runs the whole path", "a trial prepares, trains, evaluates and serves; the parent measures",
        ("test_runs.py::test_a_healthy_run_is_good_and_honest", "test_runs.py::test_a_silent_fault_is_measured_from_outside"),
    ),
    Item(
        "f.2", "Grading repeats", "runs are byte-identical on one machine; three seeds decide",
        ("test_runs.py::test_a_run_is_byte_identical_in_any_process_and_order",),
        "other hidden seeds agree on 423 of 425 proposals (`python benchmarks/agreement.py`, 2026-11-27); not part of the tests",
    ),
    Item(
        "g.1", "Several right fixes pass", "hand-written fixes of more than thirty faults, at least three each",
        ("test_equivalence.py::test_every_entry_has_three_different_right_fixes", "test_equivalence.py::test_a_sample_is_ruled_as_it_should_be"),
        "one scenario a fault; what a stranger would write is only guessed at",
    ),
    Item(
        "g.2", "What must not change is unchanged", "guards against the healthy twin; the parent scores the saved predictions itself",
        ("test_grading.py::test_a_guard_makes_a_good_number_worthless",),
        "a patch that forges what the run saves of itself (parameters, epochs) is for the sandbox to stop",
    ),
    Item(
        "g.3", "Cheats fail", "empty fixes, no evaluation, a weaker metric, training on test, a smaller test set, alone and on top of the cure",
        ("test_equivalence.py::test_wrong_fixes_are_many_and_of_every_kind", "test_equivalence.py::test_a_sample_is_ruled_as_it_should_be"),
    ),
    Item(
        "h.1", "What is asked is what is read", "the published schema is the contract's; the task says the fix language and the weights",
        ("test_openenv.py::test_published_action_schema_is_the_contracts", "test_environment.py::test_description_is_short_and_says_what_is_needed",
         "test_fix_language.py::test_examples_do_what_the_page_says"),
    ),
    Item("h.2", "Random submissions are not right", "`random` in the table above", (), "ten thousand submissions are not played: the table has as many as it says"),
    Item(
        "i.1", "No trick beats the baseline", "`mlops-debugger audit` ends with code 1 where one comes near",
        ("test_exploits.py::test_an_exploit_that_comes_close_to_the_rules_is_named", "test_exploits.py::test_nothing_is_earned_without_an_accepted_diagnosis"),
        "tricks that nobody thought of",
    ),
    Item("T.1", "Versions are pinned", "requirements.lock; the bank says how it was made", ("test_bank.py::test_starter_bank_says_how_it_was_made",)),
    Item("T.2", "Tools work", "every action of the contract is answered", ("test_environment.py::test_no_action_ever_fails",)),
    Item(
        "T.3", "Our own failures are not zeros", "a trial that cannot be carried out leaves the fix unscored; reports leave such episodes out",
        ("test_grading.py::test_what_could_not_run_is_unscored_and_never_renormalised", "test_environment.py::test_a_failing_trainer_leaves_the_fix_unscored",
         "test_evaluation.py::test_unscored_episodes_are_counted_and_left_out", "test_runs.py::test_a_dead_worker_is_replaced",
         "test_allowance.py::test_a_run_on_a_busy_machine_gets_its_time"),
    ),
    Item(
        "T.4", "Sessions do not touch each other", "many sessions at once play like one",
        ("test_sessions.py::test_64_interleaved_sessions_equal_64_solo_runs", "test_runs.py::test_no_workspace_is_left"),
    ),
    Item(
        "T.5", "The answer does not leak", "reset is at chance given the project, the state is sealed without the key",
        ("test_leaks.py::test_reset_is_at_chance_given_the_project", "test_leaks.py::test_no_artifact_or_finding_names_a_fault",
         "test_openenv.py::test_state_is_sealed_without_the_key", "test_sealing.py::test_no_canary_leaves_the_server_without_the_key",
         "test_environment.py::test_nothing_of_the_answer_is_shown_at_the_end"),
        "timing is tried by one agent in the table above",
    ),
    Item("T.6", "Episodes are what they were", "every scenario has a checksum; a seed fixes the scenario", ("test_bank.py::test_damage_is_noticed", "test_environment.py::test_a_seed_fixes_the_scenario_and_seeds_spread_evenly"), "the network of a trial is the sandbox's matter"),
    Item("T.7", "A fault is one", "faulty outside, fixed inside of the bar, on three seeds", ("test_proofs.py::test_a_daily_sample_of_scenarios_proves_again",)),
    Item("T.8", "A perfect player can be perfect", "`oracle` in the table above", ("test_agents.py::test_oracle_scores_one_on_sampled_scenarios",), "the oracle knows the state: that observations alone suffice is not shown"),
    Item("T.9–10", "The oracle and the exploits are played again", "both are tests; the audit resumes", ("test_exploits.py::test_the_audit_resumes_and_reports_faults_and_controls_apart",), "nobody is paid to break it"),
    Item("R.1–2", "Free and reproducible", "licence in the repository; `mlops-debugger evaluate` and `audit` write the tables", ("test_cli.py::test_evaluate_writes_a_report_and_resumes",)),
    Item("R.3", "Private scenarios", "banks are forged from a seed base of one's own", ("test_bank.py::test_round_trip",), "no commitment to a private bank has been published"),
    Item("R.4", "Versions of the benchmark", "a bank has a format and a manifest", ("test_bank.py::test_other_files_are_refused",), "no seasons, no regrading of old transcripts"),
    Item("R.5–6", "It says what it measures", "README and the task description", (), "whether it measures an engineer's skill is not shown: no people have played"),
    Item("R.7–9", "Known flaws and limits are public", "LOG.md has negative findings; this page has what is open", ()),
    Item("R.10", "Intervals", "95 % intervals in every report, faults and controls apart", ("test_evaluation.py::test_interval_is_students", "test_evaluation.py::test_faults_and_controls_stand_apart"), "intervals take episodes for independent; they are not clustered by fault"),
    Item("R.11", "How to read overlapping intervals", "the same episodes for every player", (), "no paired test is computed"),
    Item("R.12", "Baselines that are honest", "`rules`, `oracle`, `random`", (), "no people, no Bayes agent"),
    Item("R.13", "Trivial players are in the table", "`nothing`, `random`, `majority_per_project`, `menu_stuffing`, `reads_only`", ("test_exploits.py::test_every_exploit_is_there_and_says_what_it_tries_and_why_it_should_fail",)),
)  # fmt: skip
