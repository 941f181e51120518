"""The order of the steps: the deploy algorithm in sentences, no I/O."""
