"""Doors to the environment for other harnesses, thin: each turns somebody's interface into sessions and actions."""
