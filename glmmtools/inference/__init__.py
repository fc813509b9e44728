"""Tests of terms, comparison of models, profiles, bootstrap, second opinions.

Imports `fitted` and below.
"""
