"""What is done: one module a step, and the run that composes them."""
