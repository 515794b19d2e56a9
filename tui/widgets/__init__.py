"""Widgets take values and post messages."""
