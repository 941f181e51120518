"""The processes: control worker and server worker."""
