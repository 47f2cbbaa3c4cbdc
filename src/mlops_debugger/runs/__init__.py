"""Running it: a workspace becomes a run folder, in a process of its own; the parent measures."""
