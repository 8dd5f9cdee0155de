"""What operators see of the work: logs with ids, metrics, traces. Nothing here changes what is done."""
