"""Commits, refs and files of a Git repository, and what is kept of them."""
