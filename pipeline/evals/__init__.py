"""Scorers, losses and generation."""
