"""Tests of pydeeplab.segmentation."""
