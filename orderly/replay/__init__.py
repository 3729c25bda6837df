"""Real invoices, run through the service under a clock that is moved: ``orderly replay FILE``.

The way of a file, a module a step: `lines` are read, `kinds` says what each is, `shelves` makes the catalogue and the
opening stock, `orders` and `purchases` follow sales and credits through time by the `moments` of a careful shop, and
`plan` puts it all in order. The `driver` takes the plan's `steps` through the `shop`'s service in `windows`, looks up
the `children` that orders have got, and the `book` remembers how far it is. The `report` accounts for every line, and
its `checks` compare the file with the `figures` of every table; `show` prints it, and `run` is the door.

What is decided about a line is decided in two places only. Lines that the service does not deal in, and credits that no
purchase answers for, are set apart by the plan, with a reason. Everything else is asked of the machines, and what they
refuse is counted with their own reason.
"""
