"""Adapters: the same episodes in other people's harnesses, a thin file each.

    trl_environment   TRL's GRPOTrainer(environment_factory=…)
    gymnasium_env     a registered Gymnasium environment
    inspect_task      an Inspect AI task
    mcp_server        the Model Context Protocol: over stdio, and over HTTP beside the server
    rollouts          OpenEnv's harness rollouts, written as JSON lines for supervised fine-tuning

Each file imports its framework; importing this package imports none. No file is named as what it adapts, so that a
folder on `sys.path` never hides a framework. All play in this process, without a server: `_play` holds the episode,
`_tools` is the same eight actions as documented functions.
"""
