"""The steps of a deployment, as Temporal activities: each one verb, safe to repeat."""
