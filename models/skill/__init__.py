"""How good masks and areas are: scores beside image-blind constants, and the report on them."""
