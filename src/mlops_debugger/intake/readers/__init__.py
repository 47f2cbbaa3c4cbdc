"""A reader each: a file binds READER, its name is the id, its order is the order of detection."""
