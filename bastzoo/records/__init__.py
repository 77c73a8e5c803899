"""What a folder of runs is: records, how they are kept, claimed, listed and judged."""
