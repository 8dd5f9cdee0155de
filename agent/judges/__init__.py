"""Judges: what gives a stance on a claim from a paper's text."""
