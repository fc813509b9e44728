"""What every room may use: text, results as shown, checks of arguments, messages, drawing style.

Imports no other room.
"""
