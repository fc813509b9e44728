"""One fit and what is read off it without another search.

Imports `engine` and below.
"""
