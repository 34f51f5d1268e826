-- So many more letters of these streams have been written than have ended.
update view.letter_round r
set letters_open = r.letters_open + counted.more
from unnest($1::text[], $2::int[]) as counted (stream, more)
where r.stream = counted.stream
