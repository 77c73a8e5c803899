"""Commands that read records: tables, comparisons, folders of runs."""
