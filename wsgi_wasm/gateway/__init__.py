"""A request on its way: matched to a route, given to a guest, answered. Read `dispatcher` first."""
