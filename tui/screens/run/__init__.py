"""One experiment: stages, curves, log, params, metrics, answers."""
