"""The recipe of the seed paper, as a preset: a U-Net on equalised pictures of single dates."""
