"""The embedded AWS: deploys the synthesized cloud assembly into moto and runs its jobs as processes."""

import os

# moto would let any web page call it; it reads this when it is imported.
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
