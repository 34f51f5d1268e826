-- Which migrations this database has, and the exact text that was applied.
create table if not exists public.gonogo_migration (
    number integer primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now()
)
