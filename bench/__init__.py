"""Measurements of what the project promises: each module prints one JSON object with `--json`."""
