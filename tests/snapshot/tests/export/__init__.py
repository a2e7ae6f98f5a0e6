"""Tests of the exports, a file each target."""
