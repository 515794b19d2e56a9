"""One file per screen: a screen wires widgets to ports."""
