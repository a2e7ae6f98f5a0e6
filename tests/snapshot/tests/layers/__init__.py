"""Tests of the layers, a file each."""
