"""Tests of this repository; `module_contract` is the suite that every module's tests inherit."""
