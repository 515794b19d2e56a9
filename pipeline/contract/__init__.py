"""What the pipeline and the TUI share: params, metrics, stages, paths, run record, manifest."""
