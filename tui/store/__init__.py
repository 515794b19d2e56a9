"""The read side: Git objects, the DVC cache and live files become values."""
