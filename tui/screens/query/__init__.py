"""Ask in SQL."""
