"""The repository as an OpenEnv environment folder; the package itself is `mlops_debugger` in `src/`."""
