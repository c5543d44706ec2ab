"""The keyed generator's raw words, in every direction of the key, under a battery of classical tests."""
