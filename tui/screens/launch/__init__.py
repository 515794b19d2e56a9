"""A form over params.yaml that starts a run."""
