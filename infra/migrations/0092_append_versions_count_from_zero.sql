-- A negative expected version is a conflict as a set too, as it is one by one. It took neither the update nor the insert of
-- log.stream, so whoever called log.append directly could store events below version 1 of any stream. See 0090 for the way.
do $$
declare
    v_text constant text := pg_get_functiondef('log.append'::regproc);
    v_new constant text := replace(v_text, 'v_plain and v_count > 0 and (', 'v_plain and v_count > 0 and p_expected[v_command] >= 0 and (');
begin
    if v_new = v_text then
        raise exception 'log.append is not the function of migration 0090';
    end if;
    execute v_new;
end;
$$;
