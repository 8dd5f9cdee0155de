"""The `retest` command."""
