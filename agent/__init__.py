"""Finds papers, weighs them, asks the lab, and answers people. Starts without torch."""
