"""A metric along the commits: where it moved, what is noise, which commit broke it."""
