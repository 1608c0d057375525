"""Who waits at the door of a series, and for what: rules of entry beside the guards themselves."""
