"""Fakes of the parts that reach outside, for tests of what uses them.

Each is a subclass of the real part, so that the type checker compares their signatures; contract
tests run the same assertions on both.
"""
