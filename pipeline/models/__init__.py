"""Base model sources, the starter model, adapters, load and merge."""
