"""Where params, metrics, plots, deps and outs of a revision are."""
