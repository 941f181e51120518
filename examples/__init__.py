"""Programs that use Aweigh; run from a checkout, not installed with it."""
