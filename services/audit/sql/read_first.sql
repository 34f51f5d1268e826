-- What a freeze, an endpoint or the like is called stands in its first event; later ones need not repeat it.
select stream, type, payload from log.event where stream = any($1::text[]) and version = 1
