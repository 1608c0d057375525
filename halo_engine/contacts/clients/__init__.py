"""What is kept for other products' clients: ids of messages, anonymous traits, calls that wait for
their user (contract §13).
"""
