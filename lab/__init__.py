"""Measures: protocols, training recipes, statistics and the run queue. Knows the experiment words, never the store."""
