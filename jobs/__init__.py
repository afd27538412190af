"""What every job shares: where its files lie, how it fails, how it shows progress, how it is tracked."""
