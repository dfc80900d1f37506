-- Every query of a rebuild. The shadow and what is found by comparing it are temporary tables of one session: when it ends,
-- however it ends, they are gone and the live views are as they were.

-- name: rebuild_lock
select pg_try_advisory_lock(728303, 1)

-- name: hub_runs
select exists (
    select from pg_locks join pg_database on pg_database.oid = database
    where locktype = 'advisory' and datname = current_database() and classid = 728302 and objid = 1 and granted)

-- name: recorded_projections
select name, version, position from projection

-- name: record_first_versions
-- names, versions: of a log that has nothing to be projected yet
insert into projection (name, version) select * from unnest($1::text[], $2::integer[])
where not exists (select from stored_events) on conflict do nothing

-- name: set_progress
-- names, position
update projection set position = $2 where name = any ($1)

-- name: projection_sizes
-- views: current rows, items, and a digest of what is current, the same whenever the same is current
select count(*) as rows, (select coalesce(sum(head), 0)::bigint from feed where view = any ($1)) as items,
    encode(sha256(coalesce(string_agg(
        sha256(convert_to((view, audience, key, item."group", extract(epoch from item.valid_from), extract(epoch from item.valid_to),
            extract(epoch from item.issued))::text, 'UTF8') || sha256(coalesce(item.payload, ''))),
        '' order by view, audience, key), '')), 'hex') as digest
from row_current join row_item as item using (view, audience, sequence, key) where view = any ($1)

-- name: create_shadow
create temporary table shadow_item (
    view text collate "C", audience text collate "C", sequence bigint, key text collate "C", payload bytea,
    "group" text collate "C", valid_from timestamptz, valid_to timestamptz, issued timestamptz, position bigint);
create temporary table difference (
    kind text, fields text[], live_position bigint, view text collate "C", audience text collate "C", sequence bigint,
    key text collate "C", payload bytea, "group" text collate "C", valid_from timestamptz, valid_to timestamptz, issued timestamptz,
    position bigint);
create temporary table late_item (like shadow_item);
create temporary table doubted (view text collate "C", audience text collate "C", key text collate "C");
create temporary table stale (
    kind text, fields text[], view text collate "C", audience text collate "C", key text collate "C", payload bytea,
    "group" text collate "C", valid_from timestamptz, valid_to timestamptz, issued timestamptz, position bigint);
create temporary table suspect (like stale)

-- name: feeds_of
-- views: where the numbers of each feed begin, and which of them no event has caused
select view, audience, told, since, array(
    select sequence from row_item as item
    where item.view = feed.view and item.audience = feed.audience and item.correction and item.sequence > feed.told
    order by sequence) as corrections
from feed where view = any ($1)

-- name: analyze_shadow
analyze shadow_item

-- name: find_changed
-- views made by the present version: what the log says and its item does not. Items are looked up one by one in the order in which
-- they were written: to join them whole would sort or hash the content of both.
insert into difference
select case when live.sequence is null then 'missing' else 'changed' end,
    case when live.sequence is not null then array_remove(array[
        case when live.key <> shadow.key then 'key' end,
        case when live.payload is distinct from shadow.payload then 'payload' end,
        case when live."group" <> shadow."group" then 'group' end,
        case when (live.valid_from, live.valid_to) is distinct from (shadow.valid_from, shadow.valid_to) then 'valid' end,
        case when live.issued <> shadow.issued then 'issued' end,
        case when live.position <> shadow.position then 'position' end], null) end,
    live.position, shadow.view, shadow.audience, shadow.sequence, shadow.key, shadow.payload, shadow."group", shadow.valid_from,
    shadow.valid_to, shadow.issued, shadow.position
from shadow_item as shadow
left join lateral (
    select * from row_item as item
    where item.view = shadow.view and item.audience = shadow.audience and item.sequence = shadow.sequence and not correction
    limit 1
) as live on true
where shadow.view = any ($1) and shadow.sequence > 0 and (
    live.sequence is null
    or (live.key, live.payload, live."group", live.valid_from, live.valid_to, live.issued, live.position)
       is distinct from (shadow.key, shadow.payload, shadow."group", shadow.valid_from, shadow.valid_to, shadow.issued, shadow.position))

-- name: find_extra
-- views made by the present version: items that no event has caused
insert into difference (kind, live_position, view, audience, sequence, key)
select 'extra', item.position, item.view, item.audience, item.sequence, item.key
from row_item as item left join feed using (view, audience)
where item.view = any ($1) and not correction and item.sequence > coalesce(told, 0) and not exists (
    select from shadow_item as shadow
    where shadow.view = item.view and shadow.audience = item.audience and shadow.sequence = item.sequence)

-- name: find_miscounted
-- views: feeds that count to another number than that of their last item, or not at all
insert into difference (kind, live_position, view, audience, sequence)
select 'counter', head, view, audience, coalesce(last, 0) from feed
full join (
    select view, audience, max(sequence) as last from row_item where view = any ($1) group by view, audience
) as items using (view, audience)
where view = any ($1) and head is distinct from last

-- name: find_doubted
-- views: keys that may be seen otherwise than the log says. Not among them are those, nearly all, whose present item is the newest
-- of the log, was just found to be as it says, and is listed by the same instants: no payload need be carried to know that.
insert into doubted
select view, audience, key
from (select * from row_current where view = any ($1)) as present
full join (
    select view, audience, key, max(sequence) as last, max(sequence) filter (where payload is null) as withdrawn
    from shadow_item group by view, audience, key
) as newest using (view, audience, key)
left join (
    select view, audience, sequence, "group", valid_from, valid_to, issued from shadow_item
    where (view, audience, sequence) not in (select view, audience, sequence from difference where sequence is not null)
) as item using (view, audience, sequence)
where case when sequence is null then last is distinct from withdrawn else
    (last, present."group", present.valid_from, present.valid_to, present.issued)
    is distinct from (sequence, item."group", item.valid_from, item.valid_to, item.issued) end

-- name: analyze_doubted
analyze doubted

-- name: find_stale
-- keys that readers see otherwise than the log says, of those that are doubted
insert into stale
select case when live.key is null then 'hidden' when shadow.key is null then 'left over' else 'other' end,
    case when live.key is not null and shadow.key is not null then array_remove(array[
        case when live.payload is distinct from shadow.payload then 'payload' end,
        case when live."group" is distinct from shadow."group" then 'group' end,
        case when (live.valid_from, live.valid_to) is distinct from (shadow.valid_from, shadow.valid_to) then 'valid' end,
        case when live.issued is distinct from shadow.issued then 'issued' end], null) end,
    view, audience, key, shadow.payload, shadow."group", shadow.valid_from, shadow.valid_to, shadow.issued, shadow.position
from (
    select present.view, present.audience, present.key, item.payload, present."group", present.valid_from, present.valid_to,
        present.issued
    from row_current as present left join row_item as item
        on item.view = present.view and item.audience = present.audience and item.sequence = present.sequence
        and item.key = present.key and item."group" = present."group"
        and (item.valid_from, item.valid_to) is not distinct from (present.valid_from, present.valid_to)
        and item.issued = present.issued
    join doubted on doubted.view = present.view and doubted.audience = present.audience and doubted.key = present.key
) as live
full join (
    select item.* from shadow_item as item
    join (select view, audience, key, max(sequence) as sequence from shadow_item join doubted using (view, audience, key)
          group by view, audience, key) as newest
        using (view, audience, key, sequence)
    where payload is not null
) as shadow using (view, audience, key)
where live.key is null or shadow.key is null
   or (live.payload, live."group", live.valid_from, live.valid_to, live.issued)
      is distinct from (shadow.payload, shadow."group", shadow.valid_from, shadow.valid_to, shadow.issued)

-- name: count_differences
select (select count(*) from difference) as items, (select count(*) from stale) as keys

-- name: count_stale
select count(*) from stale

-- name: told_differences
-- at most
select * from (
    select kind, fields, live_position, view, audience, sequence, key, position from difference
    union all
    select kind, fields, null, view, audience, null, key, position from stale
) as found order by view, audience, sequence nulls last, key limit $1

-- name: suspect_again
-- what was found when all was compared, and what has come since, is compared once more
insert into suspect
select distinct on (view, audience, key) 'other', null::text[], view, audience, key, payload, "group", valid_from, valid_to, issued, position
from late_item order by view, audience, key, sequence desc;
insert into suspect
select * from stale where (view, audience, key) not in (select view, audience, key from late_item);
truncate stale;
analyze suspect

-- name: find_stale_again
-- keys that readers see otherwise than the log says, of those that are suspect
insert into stale
select suspect.* from suspect
left join lateral (
    select item.payload, present."group", present.valid_from, present.valid_to, present.issued
    from row_current as present left join row_item as item
        on item.view = present.view and item.audience = present.audience and item.sequence = present.sequence
        and item.key = present.key and item."group" = present."group"
        and (item.valid_from, item.valid_to) is not distinct from (present.valid_from, present.valid_to)
        and item.issued = present.issued
    where present.view = suspect.view and present.audience = suspect.audience and present.key = suspect.key
) as live on true
where (live.payload, live."group", live.valid_from, live.valid_to, live.issued) is distinct from (
    suspect.payload,
    case when suspect.payload is not null then suspect."group" end,
    case when suspect.payload is not null then suspect.valid_from end,
    case when suspect.payload is not null then suspect.valid_to end,
    case when suspect.payload is not null then suspect.issued end)

-- name: settle_late
-- what has come so far has been compared: only what is stale now stays to be compared under the lock
truncate late_item;
truncate suspect

-- name: lock_log
select pg_advisory_xact_lock(728301, 1)

-- name: restore_items
-- what the log says stands again under the number it had
insert into row_item as item (view, audience, sequence, key, payload, "group", valid_from, valid_to, issued, position)
select view, audience, sequence, key, payload, "group", valid_from, valid_to, issued, position from difference
where kind in ('missing', 'changed')
on conflict (view, audience, sequence) do update set key = excluded.key, payload = excluded.payload, "group" = excluded."group",
    valid_from = excluded.valid_from, valid_to = excluded.valid_to, issued = excluded.issued, position = excluded.position,
    correction = false

-- name: disown_items
-- a number that was given stays given: what no event has caused counts as a correction, and the truth follows it
update row_item as item set correction = true from difference
where kind = 'extra' and item.view = difference.view and item.audience = difference.audience and item.sequence = difference.sequence

-- name: recount_feeds
-- feeds with a difference count to their last item
insert into feed as known (view, audience, head)
select view, audience, coalesce((select max(sequence) from row_item as item where (item.view, item.audience) = (touched.view, touched.audience)), 0)
from (select distinct view, audience from difference) as touched
on conflict (view, audience) do update set head = excluded.head, gathered = least(known.gathered, excluded.head)

-- name: append_corrections
-- position: what is so, at the tail of each feed; readers with a cursor learn it, and nothing is renumbered
with numbered as (
    select stale.*, row_number() over (partition by view, audience order by position nulls last, key) as place from stale
), grown as (
    insert into feed as known (view, audience, head)
    select view, audience, count(*) from stale group by view, audience
    on conflict (view, audience) do update set head = known.head + excluded.head
    returning view, audience, head
), placed as (
    select numbered.*, head - count(*) over (partition by view, audience) + place as sequence
    from numbered join grown using (view, audience)
), kept as (
    insert into row_item (view, audience, sequence, key, payload, "group", valid_from, valid_to, issued, position, correction)
    select view, audience, sequence, key, payload, coalesce("group", ''), valid_from, valid_to, coalesce(issued, now()), $1, true from placed
), withdrawn as (
    delete from row_current as old using placed
    where placed.payload is null and (old.view, old.audience, old.key) = (placed.view, placed.audience, placed.key)
)
insert into row_current (view, audience, key, sequence, "group", valid_from, valid_to, issued)
select view, audience, key, sequence, "group", valid_from, valid_to, issued from placed where payload is not null
on conflict (view, audience, key) do update set sequence = excluded.sequence, "group" = excluded."group",
    valid_from = excluded.valid_from, valid_to = excluded.valid_to, issued = excluded.issued

-- name: close_history
-- views of another version, position: what it has told stays told
update feed set told = head, since = $2 where view = any ($1)

-- name: record_versions
-- names, versions, now
insert into projection as known (name, version, position, rebuilt) select *, 0, $3::timestamptz from unnest($1::text[], $2::integer[])
on conflict (name) do update set version = excluded.version, position = 0, rebuilt = excluded.rebuilt
