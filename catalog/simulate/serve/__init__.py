"""The simulated archive served like the real one: STAC API, CMR, logins, signed addresses, faults."""
