"""The model registry: which variant of a run goes in, as what, and whether it becomes the champion."""
