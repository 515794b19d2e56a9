"""The command line: every view's scriptable twin."""
