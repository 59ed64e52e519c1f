"""Which hand-drawn masks are wrong: their agreement with other dates, images and outlines."""
