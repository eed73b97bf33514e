"""Define where the truth lives: one narrow set of verbs, implemented on Redis and in memory under one contract
suite."""
