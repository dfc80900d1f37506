-- Which application of the sender a message comes from (senderApplication of MADES), as its receiver is told.

alter table out_message add column application text not null default '';
alter type new_row add attribute application text;

-- As in 0004; a message that leaves carries its application.
create or replace function store_rows(decided_at timestamptz, own_component text, rows new_row[]) returns void language plpgsql
set search_path from current as $$
begin
    with incoming as (
        select * from unnest(rows) with ordinality
    ), grown as (
        insert into feed as known (view, audience, head)
        select view, audience, count(*) from incoming group by view, audience order by view, audience
        on conflict (view, audience) do update set head = known.head + excluded.head
        returning view, audience, head
    ), numbered as (
        select incoming.*, grown.head
            - count(*) over (partition by view, audience)
            + row_number() over (partition by view, audience order by ordinality) as sequence
        from incoming join grown using (view, audience)
    ), kept as (
        insert into row_item (view, audience, sequence, key, payload, "group", valid_from, valid_to, issued, position)
        select view, audience, sequence, key, payload, "group", valid_from, valid_to, coalesce(issued, decided_at), position
        from numbered
    ), newest as (
        select distinct on (view, audience, key) * from numbered order by view, audience, key, sequence desc
    ), withdrawn as (
        delete from row_current as old using newest
        where newest.payload is null
          and old.view = newest.view and old.audience = newest.audience and old.key = newest.key
    ), present as (
        insert into row_current (view, audience, key, sequence, "group", valid_from, valid_to, issued)
        select view, audience, key, sequence, "group", valid_from, valid_to, coalesce(issued, decided_at)
        from newest where payload is not null
        on conflict (view, audience, key) do update set sequence = excluded.sequence, "group" = excluded."group",
            valid_from = excluded.valid_from, valid_to = excluded.valid_to, issued = excluded.issued
    ), sent as (
        insert into out_message (message_id, internal_type, receiver, business_type, document, urgent, accepted, expires, due,
            view, audience, after, upto, application)
        select coalesce(message_id, replace(gen_random_uuid()::text, '-', '')), 'STANDARD_MESSAGE', audience, business_type, document, urgent,
            decided_at, expires, decided_at, view, audience, sequence - 1, sequence, application
        from numbered where document is not null order by ordinality
        returning message_id, queued
    )
    insert into trace (message_id, at, component, state)
    select message_id, decided_at, own_component, 'ACCEPTED' from sent order by queued;
    insert into out_message (message_id, internal_type, receiver, business_type, document, urgent, accepted, expires, due,
        related, related_digest, related_manifest)
    select replace(gen_random_uuid()::text, '-', ''), 'RECEIVE_ACKNOWLEDGEMENT', taken.sender, taken.business_type, '', true, decided_at,
        decided_at + interval '24 hours', decided_at, taken.message_id, taken.digest, encode(sha256(taken.manifest), 'hex')
    from unnest(rows) with ordinality as confirming
    join in_message as taken on taken.sender = confirming.confirms_sender and taken.message_id = confirming.confirms_message
    where not exists (
        select from out_message as told
        where told.related = taken.message_id and told.receiver = taken.sender and told.internal_type = 'RECEIVE_ACKNOWLEDGEMENT')
    order by ordinality;
end
$$;
