"""Synthesize Toolwright's two stacks: `cdk synth`, or `CDK_OUTDIR=cdk.out python app.py` without the CLI."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.settings import SettingsError
from infra.stacks import build_app


def main() -> None:
    try:
        app = build_app(Path(__file__).resolve().parent)
    except SettingsError as error:
        sys.exit(f"ERROR InvalidSettings: {error}")
    app.synth()


if __name__ == "__main__":
    main()
