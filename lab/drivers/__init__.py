"""What starts, watches and stops a run: a local process or a Ray job."""
