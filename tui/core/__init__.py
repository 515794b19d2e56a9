"""Values and pure functions: no IO, no Textual, no database."""
