"""Static pages of leaderboards: tables that sort and filter, a page for each row, two rows compared."""
