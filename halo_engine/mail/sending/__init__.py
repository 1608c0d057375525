"""Send due mail: lease, intent, sent; pauses, stops and retries (contract §9)."""
