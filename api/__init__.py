"""The HTTP API: admits deployments and answers their state; never touches Docker."""
