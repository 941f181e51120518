"""The HTTP door: starts deployments and reads their state; never touches Docker."""
