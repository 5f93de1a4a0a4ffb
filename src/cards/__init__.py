"""A picture for each page, which shows where somebody shares its address."""
