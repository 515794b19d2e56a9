"""What every process of ours tells the libraries before it loads them."""

QUIET_ENVIRONMENT = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "DVC_NO_ANALYTICS": "1"}
"""Nothing that we run reports home; set before any library reads it."""
