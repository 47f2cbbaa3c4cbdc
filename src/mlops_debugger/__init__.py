"""MLOps Pipeline Debugger: investigate real broken training runs, and have the proposed fix run."""

__version__ = "0.1.0"
