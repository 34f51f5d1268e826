-- What became of a command, for the repetition that must get the first answer again.
select fingerprint, version, last, answer from log.command where principal = $1 and key = $2
