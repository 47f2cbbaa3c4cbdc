"""What finishing a large bank costs: difficulty, tiers, splits and the file, for the starter bank's scenarios many times over.

python benchmarks/finish.py [SCENARIOS]

Copies go by other ids and are otherwise alike, so nothing is trained. Prints CPU seconds, peak memory and bytes.
"""

from __future__ import annotations

import itertools
import resource
import sys
import tempfile
import time
from pathlib import Path

from mlops_debugger.bank import Bank, BankWriter, starter_bank_path
from mlops_debugger.forge.finish import finish


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    bank = Bank(starter_bank_path())
    known = list(bank.scenarios())
    copies = [
        scenario.model_copy(update={"scenario_id": f"{scenario.scenario_id}-{turn}"})
        for turn, scenario in itertools.islice(
            ((turn, scenario) for turn in itertools.count() for scenario in known), wanted
        )
    ]
    start = time.process_time()
    finished = finish(copies)
    rated = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "large.sqlite"
        BankWriter(out).write(finished, bank.manifest, bank.tries())
        written = time.process_time()
        size = out.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{wanted} scenarios: rated in {rated - start:.0f} CPU s, written in {written - rated:.0f}; {peak:.1f} GB, {size / wanted:.0f} bytes each"
    )


if __name__ == "__main__":
    main()
