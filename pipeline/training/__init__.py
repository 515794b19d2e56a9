"""One file per training objective, and what they share."""
