"""Documents of every kind, read as DVC reads them."""
