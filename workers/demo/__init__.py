"""The demo: the whole engine at work for half a minute, on a sample organisation and real
servers.
"""
