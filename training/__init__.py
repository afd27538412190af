"""Training jobs: supervised fine-tuning and direct preference optimisation on TRL, one recipe a run."""

import os

# Read by the libraries when they are imported, so before any of them is. A job reads its model from a folder
# and owes nobody a report (TRL sends one a run); its log shows progress lines in place of bars.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
