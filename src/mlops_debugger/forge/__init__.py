"""Making scenarios: plant, prove, rate difficulty, build a bank."""
