"""The rules, a file each: `find` takes the model of a class, `find_in_file` a whole file."""
