"""Mail: what is written, what is sent, and what is known of it afterwards."""
