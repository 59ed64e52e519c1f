"""A model of Kubernetes whose pods are real containers, and the life of a release in it."""
