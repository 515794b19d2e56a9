"""The home screen: every experiment of the project."""
