"""What exists: names, lakes, sources of scenes, the store."""
