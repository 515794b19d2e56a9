"""Curves: where they are, what is in them, what is kept of them."""
