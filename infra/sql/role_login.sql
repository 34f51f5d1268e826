-- Lets a service log in. The password comes as a SCRAM verifier, so the clear text never reaches the server or its log.
-- The timeouts keep a hung writer from stopping the log.
select array[
    format('alter role %I login nosuperuser nocreatedb nocreaterole password %L', $1::text, $2::text),
    format('alter role %I set lock_timeout = ''2s''', $1::text),
    format('alter role %I set statement_timeout = ''15s''', $1::text),
    format('alter role %I set idle_in_transaction_session_timeout = ''5s''', $1::text)
] as statements
