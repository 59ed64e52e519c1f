"""What is learned: networks, weights, prediction."""
