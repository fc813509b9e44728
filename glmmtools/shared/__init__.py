"""What every room may use: text, numbers and tables as shown, messages, drawing style.

Imports no other room.
"""
