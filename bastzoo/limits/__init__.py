"""How far things may go: values of records and presets, sizes of strangers' files, cores of the machine."""
