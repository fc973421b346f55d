"""Tests of pydeeplab.figures."""
