"""The demo of `scripts/up --demo`, and the makers of images that it shares with the tests."""
