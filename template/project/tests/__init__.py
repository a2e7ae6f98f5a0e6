"""Tests of this repository; those of a module inherit the suite of the module contract."""
