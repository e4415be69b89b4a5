"""Tables kept in pieces of days: a day that comes, and late rows, cost by the day and not by the history."""
