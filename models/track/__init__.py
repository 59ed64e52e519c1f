"""Networks that look at a date beside the record of its lake and track."""
