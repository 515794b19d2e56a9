"""Readers, cleaning, deduplication, split and report."""
