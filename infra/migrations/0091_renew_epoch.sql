-- A new name for this history of the log, when it was restored from a backup and the mirror proves it.
--
-- The epoch is half of every event's id outside (ce-id is epoch/position). A log that was restored to an earlier state gives
-- its next positions to other events, and under the old epoch they would get ids that are taken.
--
-- The proof is an event that was published under this epoch and that the log no longer has at its position. It is looked at
-- here, under the log's lock and where the log is written, so that neither a reader's old snapshot nor a replica that is
-- behind can bring a new epoch about; a replica refuses because it cannot write. Compare-and-set on the epoch: of two relays
-- that prove the same thing one renews it, and the other is told null and looks again. The epoch itself is random and made
-- once per installation, so nothing of another installation can be a proof here.
create function log.renew_epoch(p_epoch text, p_position bigint, p_leaf bytea) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
    v_epoch text;
begin
    if p_position is null or p_position < 1 or p_leaf is null or octet_length(p_leaf) <> 32 then
        raise exception 'a position and the leaf hash of its event are needed as the proof' using errcode = 'GN004';
    end if;
    perform pg_advisory_xact_lock(7165066907190);
    update log.head set epoch = replace(gen_random_uuid()::text, '-', '')
        where only_one and epoch = p_epoch
            and not exists (select from log.event e where e.position = p_position and e.leaf = p_leaf)
        returning epoch into v_epoch;
    return v_epoch;
end
$$;

revoke all on function log.renew_epoch from public;
grant execute on function log.renew_epoch to gonogo_relay;
