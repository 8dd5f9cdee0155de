"""What retest holds, since when, and why: the ground floor, with no network, no model and no GPU."""
