"""Where papers come from: the live arXiv API, the local mirror, the shipped starter library."""
