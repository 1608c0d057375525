"""Moving an organisation from one database to another while it works (decision 71)."""
