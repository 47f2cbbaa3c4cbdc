"""Keeping scenarios: one embedded file, its records, splits and manifest."""

from mlops_debugger.bank.records import Answer, Figures, Scenario, SeedProof
from mlops_debugger.bank.store import Bank, BankWriter, starter_bank_path

__all__ = ["Answer", "Bank", "BankWriter", "Figures", "Scenario", "SeedProof", "starter_bank_path"]
