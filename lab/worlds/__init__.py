"""Tasks with generator, verifier and splits inside and outside the training distribution."""
