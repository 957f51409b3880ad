"""One module for each word of the command line; each is imported when its command is called."""
