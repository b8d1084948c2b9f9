"""`windjammer warm-up`: what models once said and what was right, from a file into an application's log."""
