"""What happens to customers on the day: in order, as a near miss, or as a drift. One file a kind of check."""
