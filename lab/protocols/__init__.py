"""Pre-registered designs, one file each."""
