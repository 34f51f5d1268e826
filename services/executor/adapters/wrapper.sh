# Runs one attempt of a script step so that it starts once and its end is known, whatever happens to the executor.
# $1: a token of this starter; $2: when it is too late to start (Unix seconds), or nothing. Standard input is a file that holds a lock as long as this shell lives; the script does
# not get it. A hard link is the claim: it fails for all starters but the first.
trap : TERM INT HUP
[ -z "$2" ] || [ "$(date +%s)" -lt "$2" ] || exit 0
printf '%s %s\n' "$$" "$1" > "claim.$1" && ln "claim.$1" started || exit 0
cd work || exit 0
/bin/sh ../script </dev/null >>../output 2>&1
code=$?
cd ..
printf '%s\n' "$code" > exit.new && mv exit.new exit
# Whatever the script left running in its group ends with it.
kill -KILL 0
