"""A turn of a conversation, as chat templates take it; apart from the libraries, which take seconds to load."""

Message = dict[str, str]
"""`role` and `content`."""
