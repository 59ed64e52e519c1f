"""Where it runs: Dask clients, worker settings, the check of the environment."""
