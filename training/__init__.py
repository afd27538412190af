"""Training jobs: supervised fine-tuning and direct preference optimisation on TRL, one recipe a run."""
