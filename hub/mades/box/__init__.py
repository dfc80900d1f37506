"""The message box: the five operations of MADES for a business application that has no REST. See docs/mades.md.

The same small machine as hub and gateways: events, a pure brain, rows, a desk. Sending is an event and a row that
leaves; a received message is an event and a row in the inbox; confirming it is an event and withdraws that row.
"""
