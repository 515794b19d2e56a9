"""A metric along the commits of a branch."""
