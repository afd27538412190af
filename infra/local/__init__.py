"""The embedded AWS: deploys the synthesized cloud assembly into moto and runs its jobs as processes."""
