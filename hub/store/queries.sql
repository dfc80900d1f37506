-- Every query of the store, named by a line `-- name: ...`. Arguments are listed in order.

-- name: head
select coalesce(max(notification_id), 0) from stored_events

-- name: chain_at
-- position
select chain from stored_events where notification_id = $1

-- name: stream_version
-- stream
select coalesce(max(originator_version), 0) from stored_events where originator_id = $1

-- name: read
-- after, until or null, page size
select notification_id, originator_id, originator_version, topic, state, recorded_at, cause, chain from stored_events
where notification_id > $1 and ($2::bigint is null or notification_id <= $2) order by notification_id limit $3

-- name: commit
-- see commit_batch in migrations
select commit_batch($1, $2, $3, $4::new_event[], $5::new_row[], $6::new_entry[], $7::new_payload[], $8::new_key[])

-- name: payload
-- digest
select content from payload where digest = $1

-- name: erasable
-- taken in before or null, sender or null, at most: documents that only such messages brought
select digest, octet_length(content) as size from payload
where exists (select from in_message as brought where brought.digest = payload.digest)
  and not exists (
      select from in_message as other where other.digest = payload.digest
        and ((other.received < $1::timestamptz) is false or (other.sender = $2::text) is false))
order by digest limit $3

-- name: erase_payloads
-- digests
delete from payload where digest = any ($1)

-- name: known
-- senders, message ids
select sender, message_id, digest from in_message
where (sender, message_id) in (select * from unnest($1::text[], $2::text[]))

-- name: replay
-- sender, message id, now: the acknowledgements of a message go out once more
update out_message set due = $3::timestamptz, lease_until = null, state = 'ACCEPTED',
    expires = greatest(expires, $3::timestamptz + interval '24 hours')
where related = $2 and receiver = $1

-- name: feed_items
-- audience, view, after, limit
select * from feed_items($1, $2, $3, $4)

-- name: feed_slices
-- audiences, views, after, up to: the items of each slice with its place
select slice.place, item.* from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) with ordinality
        as slice (audience, view, after, upto, place),
    lateral feed_items(slice.audience, slice.view, slice.after, slice.upto - slice.after) as item
where item.sequence <= slice.upto order by slice.place, item.sequence

-- name: feed_head
-- audience, view
select feed_head($1, $2)

-- name: current_items
-- audience, view, key or null, groups, overlap from, to, issued from, to, after key, limit
select * from current_items($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: claim
-- now, lease until, limit, urgent or bulk, receivers to whom nothing may leave: oldest first, never ahead of an unsent
-- message of the same document (R28)
with chosen as (
    select message_id from out_message as mine
    where urgent = $4 and receiver <> all ($5) and due <= $1 and (lease_until is null or lease_until <= $1)
      and (document = '' or not exists (
          select from out_message as earlier
          where earlier.due is not null and earlier.receiver = mine.receiver and earlier.document = mine.document
            and earlier.queued < mine.queued))
    order by queued limit $3
    for update skip locked
), leased as (
    update out_message as message set lease_until = $2, attempts = attempts + 1, sent = $1
    from chosen where message.message_id = chosen.message_id
    returning message.*
)
select leased.*, leased.document <> '' and exists (
    select from out_message as later
    where later.due is not null and later.receiver = leased.receiver and later.document = leased.document
      and later.queued > leased.queued) as followed
from leased order by queued

-- name: sealed
-- message ids, bodies, sealed bytes, their certificates, digests of their manifests: the first body stays
update out_message as message set body = coalesce(message.body, new.body), sealed = new.sealed, sealed_for = new.certificate,
    manifests = message.manifests || new.manifest
from unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[], $5::text[]) as new (message_id, body, sealed, certificate, manifest)
where message.message_id = new.message_id

-- name: transported
-- message ids, now, component: only those in hand, so that a confirm from before a reopen does not count; acknowledgements end here
with done as (
    update out_message set due = null, lease_until = null, sent = $2,
        state = case when internal_type = 'STANDARD_MESSAGE' then state else 'DELIVERED' end
    where message_id = any ($1) and lease_until is not null
    returning message_id, internal_type
)
insert into trace (message_id, at, component, state)
select message_id, $2, $3, 'TRANSPORTED' from done where internal_type = 'STANDARD_MESSAGE'

-- name: retry
-- message ids, when, component, reason: the trace names the instant of the next attempt
with again as (
    update out_message set due = $2, lease_until = null where message_id = any ($1) and due is not null
    returning message_id
)
insert into trace (message_id, at, component, state, details) select message_id, $2, $3, 'RETRY', $4 from again

-- name: fail
-- message id, now, component, reason
with failed as (
    update out_message set state = 'FAILED', reason = $4, due = null, lease_until = null
    where message_id = $1 and state in ('ACCEPTED', 'DELIVERED')
    returning message_id
)
insert into trace (message_id, at, component, state, details) select message_id, $2, $3, 'FAILED', $4 from failed

-- name: acknowledged
-- related message ids, their receivers
select message_id, document, receiver, state, reason, expires, encode(sha256(body), 'hex') as digest, manifests from out_message
where message_id = any ($1) and related is null

-- name: acknowledge
-- message ids, states as they were read, new states, reasons; digests and signed manifests that say several things;
-- message ids, internal types, signed manifests or digests of such; message ids, at, components, states, details of the
-- story, of the same step the first only. How many messages were still in the state that was read
with folded as (
    update out_message as message set state = new.state, reason = new.reason,
        due = case when new.state in ('RECEIVED', 'FAILED') then null else due end,
        lease_until = case when new.state in ('RECEIVED', 'FAILED') then null else lease_until end
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as new (message_id, was, state, reason)
    where message.message_id = new.message_id and message.state = new.was
    returning message.message_id
), lists as (
    insert into acknowledgement_list (digest, manifest) select * from unnest($5::text[], $6::bytea[]) on conflict do nothing
), proofs as (
    insert into acknowledgement (message_id, internal_type, manifest, list)
    select * from unnest($7::text[], $8::text[], $9::bytea[], $10::text[]) on conflict do nothing
), story as (
    insert into trace (message_id, at, component, state, details)
    select message_id, at, component, state, details from (
        select distinct on (message_id, component, state) *
        from unnest($11::text[], $12::timestamptz[], $13::text[], $14::text[], $15::text[])
            with ordinality as told (message_id, at, component, state, details, place)
        order by message_id, component, state, place
    ) as told
    where not exists (
        select from trace as known
        where known.message_id = told.message_id and known.component = told.component and known.state = told.state)
    order by place
)
select count(*) from folded

-- name: proofs
-- message id
select internal_type, coalesce(list.manifest, said.manifest) as manifest
from acknowledgement as said left join acknowledgement_list as list on list.digest = said.list
where message_id = $1 order by internal_type

-- name: enqueue_failure
-- message id, receiver, business type, now, related, its digest, its manifest's, reason; one for (receiver, related), due again on a repeat
with again as (
    update out_message set due = $4::timestamptz, lease_until = null, state = 'ACCEPTED',
        expires = $4::timestamptz + interval '24 hours'
    where related = $5 and receiver = $2 and internal_type = 'FAILURE_ACKNOWLEDGEMENT'
    returning message_id
)
insert into out_message (message_id, internal_type, receiver, business_type, document, urgent, accepted, expires, due,
    related, related_digest, related_manifest, reason)
select $1::text, 'FAILURE_ACKNOWLEDGEMENT', $2::text, $3::text, '', true, $4::timestamptz, $4::timestamptz + interval '24 hours', $4::timestamptz,
    $5::text, $6::text, $7::text, $8::text
where not exists (select from again)

-- name: release
-- what a process that has ended had in hand may be claimed again
update out_message set lease_until = null where due is not null and lease_until is not null

-- name: reopen
update out_message set due = accepted, lease_until = null
where internal_type = 'STANDARD_MESSAGE' and state in ('ACCEPTED', 'DELIVERED')

-- name: silent
-- since, most resendings, now: receivers of messages confirmed before `since` that no acknowledgement has ended
select distinct receiver from out_message
where internal_type = 'STANDARD_MESSAGE' and state in ('ACCEPTED', 'DELIVERED') and due is null
  and sent <= $1 and resent < $2 and expires > $3 order by receiver

-- name: resend
-- now, receivers, when the test that each answered was sent, patience in seconds, most resendings, component, reason
with lost as (
    update out_message as message set due = $1::timestamptz, lease_until = null, resent = resent + 1
    where internal_type = 'STANDARD_MESSAGE' and state in ('ACCEPTED', 'DELIVERED') and due is null
      and resent < $5 and expires > $1
      and (exists (
          select from unnest($2::text[], $3::timestamptz[]) as test (receiver, sent)
          where test.receiver = message.receiver and test.sent >= message.sent + make_interval(secs => $4)
      ) or exists (
          select from out_message as later
          where later.internal_type = 'STANDARD_MESSAGE' and later.state = 'RECEIVED'
            and later.receiver = message.receiver and later.urgent = message.urgent
            and later.sent >= message.sent + make_interval(secs => $4)))
    returning message_id, queued
)
insert into trace (message_id, at, component, state, details)
select message_id, $1, $6, 'RETRY', $7 from lost order by queued

-- name: expire
-- now, grace in seconds, component, reason
with late as (
    update out_message set state = 'FAILED', reason = $4, due = null, lease_until = null
    where state = 'ACCEPTED' and expires + make_interval(secs => $2) < $1
    returning message_id, document, internal_type, queued
), told as (
    insert into trace (message_id, at, component, state, details) select message_id, $1, $3, 'FAILED', $4 from late
)
select document from late where internal_type = 'STANDARD_MESSAGE' order by queued

-- name: overdue
-- business type, since
select * from out_message where internal_type = 'STANDARD_MESSAGE' and state = 'ACCEPTED' and business_type = $1 and accepted < $2
order by queued

-- name: ungathered
-- view: feeds with items that no beat has sent yet
select audience, gathered, head from feed where view = $1 and head > gathered order by audience for update

-- name: ungathered_sizes
-- view, audience, after, upto: bytes of each payload, of a withdrawn item none
select coalesce(octet_length(payload), 0) as size from row_item
where view = $1 and audience = $2 and sequence > $3 and sequence <= $4 order by sequence

-- name: gather
-- message id, receiver, business type, document, now, expires, view, after, upto, component
with moved as (
    update feed set gathered = $9 where view = $7 and audience = $2
), queued as (
    insert into out_message (message_id, internal_type, receiver, business_type, document, urgent, accepted, expires, due,
        view, audience, after, upto)
    values ($1, 'STANDARD_MESSAGE', $2, $3, $4, false, $5, $6, $5, $7, $2, $8, $9)
    returning message_id
)
insert into trace (message_id, at, component, state) select message_id, $5, $10, 'ACCEPTED' from queued

-- name: status
-- document
select message.*, coalesce(array_agg((trace.at, trace.component, trace.state, trace.details)::trace_step order by trace.id)
    filter (where trace.id is not null), '{}') as steps
from out_message as message left join trace using (message_id)
where document = $1 group by message.message_id order by queued

-- name: find_message
-- message id
select message.*, array(select (at, component, state, details)::trace_step from trace where message_id = $1 order by id) as steps
from out_message as message where message_id = $1 and internal_type = 'STANDARD_MESSAGE'

-- name: waiting
select count(*) from out_message where internal_type = 'STANDARD_MESSAGE' and state = 'ACCEPTED'

-- name: oldest
select min(accepted) from out_message where internal_type = 'STANDARD_MESSAGE' and state = 'ACCEPTED'

-- name: find_key
-- scope, key
select fingerprint, documents from idempotency_key where scope = $1 and key = $2

-- name: issue_token
-- hash, participant, label, created, expires
insert into token (hash, participant, label, created, expires) values ($1, $2, $3, $4, $5)

-- name: find_token
-- hash
select hash, participant, label, created, expires, revoked from token where hash = $1

-- name: list_tokens
-- participant or null
select hash, participant, label, created, expires, revoked from token
where $1::text is null or participant = $1 order by created, hash

-- name: revoke_token
-- hash, now
update token set revoked = $2 where hash = $1 and revoked is null returning true

-- name: token_positions
-- hash
select view, sequence from token_position where token_hash = $1

-- name: set_positions
-- hashes, views, sequences; a position never goes back
insert into token_position as known (token_hash, view, sequence) select * from unnest($1::bytea[], $2::text[], $3::bigint[])
on conflict (token_hash, view) do update set sequence = greatest(known.sequence, excluded.sequence)

-- name: get_meta
-- key
select value from meta where key = $1

-- name: set_meta
-- key, value
insert into meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value

-- name: taken_in
-- documents or message ids, senders or null, until or null: with both acknowledgements and whether the raw document is as it came
select message.sender, message.message_id, message.business_type, message.document, message.digest, message.received,
    encode(sha256(message.manifest), 'hex') as manifest_digest,
    (select encode(sha256(content), 'hex') = message.digest from payload where payload.digest = message.digest) as is_intact,
    array(select (sent, '', internal_type, '')::trace_step from out_message
        where related = message.message_id and receiver = message.sender order by queued) as answered
from in_message as message
where ($1::text[] is null or message.document = any ($1) or message.message_id = any ($1))
  and ($2::text[] is null or message.sender = any ($2)) and ($3::timestamptz is null or message.received <= $3)
order by message.received, message.sender, message.message_id

-- name: carried
-- documents or message ids or null, receiver or null, until or null, log positions or null: business messages with their whole story
select message.message_id, receiver, business_type, document, accepted, state, reason, view, audience, after, upto,
    encode(sha256(body), 'hex') as digest,
    array(select (at, component, state, details)::trace_step from trace
        where trace.message_id = message.message_id order by id) as steps,
    array(select internal_type || '/' || coalesce(list, encode(sha256(manifest), 'hex')) from acknowledgement
        where acknowledgement.message_id = message.message_id order by internal_type) as proofs
from out_message as message
where internal_type = 'STANDARD_MESSAGE'
  and ($1::text[] is null or document = any ($1) or message.message_id = any ($1))
  and ($2::text is null or receiver = $2) and ($3::timestamptz is null or accepted <= $3)
  and ($4::bigint[] is null or (view, audience, upto) in (
      select distinct part.view, part.audience, part.upto from row_item as item
      join out_message as part on part.view = item.view and part.audience = item.audience
          and item.sequence > part.after and item.sequence <= part.upto
      where item.position = any ($4)))
order by queued

-- name: told
-- audience
select view, key, position, sequence from row_item where audience = $1 order by view, sequence

-- name: positions_behind
-- view, audience, after, upto: which events caused the rows of a message
select distinct position from row_item where view = $1 and audience = $2 and sequence > $3 and sequence <= $4 order by position

-- name: events_at
-- positions
select notification_id, originator_id, originator_version, topic, state, recorded_at, cause, chain from stored_events
where notification_id = any ($1) order by notification_id

-- name: causes_named
-- mRID: what led to events, SENDER/MRID, for a document that the inbox need not remember any more
select distinct cause from stored_events where right(cause, length($1) + 1) = '/' || $1 order by cause

-- name: events_about
-- causes, streams
select notification_id, originator_id, originator_version, topic, state, recorded_at, cause, chain from stored_events
where cause = any ($1) or originator_id = any ($2) order by notification_id

-- name: held_messages
-- states, receiver or null, limit: what is under way oldest first, then what has ended newest first
select message_id, document, receiver, business_type, urgent, state, reason, accepted, expires, attempts, due, lease_until, sent,
    (select details from trace where trace.message_id = held.message_id and trace.state = 'RETRY' order by id desc limit 1) as tried
from out_message as held
where internal_type = 'STANDARD_MESSAGE' and state = any ($1) and ($2::text is null or receiver = $2)
order by state in ('RECEIVED', 'FAILED'), case when state in ('RECEIVED', 'FAILED') then -queued else queued end limit $3

-- name: held_count
-- states, receiver or null
select count(*) from out_message
where internal_type = 'STANDARD_MESSAGE' and state = any ($1) and ($2::text is null or receiver = $2)

-- name: held_message
-- message id
select message_id, document, receiver, business_type, urgent, state, reason, accepted, expires, attempts, due, lease_until, sent,
    (select details from trace where trace.message_id = held.message_id and trace.state = 'RETRY' order by id desc limit 1) as tried
from out_message as held where message_id = $1 and internal_type = 'STANDARD_MESSAGE'

-- name: message_body
-- message id
select body from out_message where message_id = $1

-- name: newer_message
-- message id: another message of the same document to the same receiver that was queued later
select newer.message_id from out_message as newer join out_message as mine using (document, receiver)
where mine.message_id = $1 and newer.queued > mine.queued and newer.internal_type = 'STANDARD_MESSAGE' limit 1

-- name: send_now
-- message id, now, component, reason: one that has not ended and that nobody has in hand
with again as (
    update out_message set due = $2, lease_until = null, resent = 0
    where message_id = $1 and internal_type = 'STANDARD_MESSAGE' and state in ('ACCEPTED', 'DELIVERED') and expires > $2
      and (lease_until is null or lease_until <= $2)
    returning message_id
)
insert into trace (message_id, at, component, state, details) select message_id, $2, $3, 'RETRY', $4 from again

-- name: send_anew
-- message id, id of the new message, now, component, reason: what a failed one carried, as a message of its own
with failed as (
    select * from out_message as mine
    where message_id = $1 and internal_type = 'STANDARD_MESSAGE' and state = 'FAILED' and expires > $3
      and not exists (
          select from out_message as newer
          where newer.document = mine.document and newer.receiver = mine.receiver and newer.queued > mine.queued
            and newer.internal_type = 'STANDARD_MESSAGE')
), anew as (
    insert into out_message (message_id, internal_type, receiver, business_type, document, urgent, accepted, expires, due,
        view, audience, after, upto, body, application)
    select $2, internal_type, receiver, business_type, document, urgent, $3, expires, $3, view, audience, after, upto, body, application
    from failed
    returning message_id
)
insert into trace (message_id, at, component, state, details)
select message_id, $3, $4, 'ACCEPTED', $5 from anew union all select $1, $3, $4, 'RETRY', 'taken up as ' || message_id from anew

-- name: events_of_topic
-- topic, bytes that stand in the state, limit: newest first
select notification_id, originator_id, originator_version, topic, state, recorded_at, cause, chain from stored_events
where topic = $1 and position($2::bytea in state) > 0 order by notification_id desc limit $3

-- name: applied
select version, name, sha256 from schema_version order by version

-- name: server
select current_setting('server_version') as server, pg_database_size(current_database()) as size_bytes,
    (select count(*) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend')::int as sessions

-- name: lock_holder
-- the two keys of an advisory lock: the session of this database that holds it
select pid, application_name as name, coalesce(host(client_addr), 'this machine') as address, backend_start as since
from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and classid = $1::bigint::oid and objid = $2::bigint::oid and granted
  and database = (select oid from pg_database where datname = current_database()) and backend_start is not null

-- name: replicas
select application_name as name, state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint as behind_bytes
from pg_stat_replication where replay_lsn is not null and not pg_is_in_recovery()

-- name: condition
select (select value from meta where key = 'component') as component,
    coalesce(newest.notification_id, 0) as head, newest.recorded_at as head_at, encode(newest.chain, 'hex') as chain,
    unsent.waiting, unsent.waiting_since
from (values (1)) as always
left join lateral (select * from stored_events order by notification_id desc limit 1) as newest on true
left join lateral (
    select count(*)::int as waiting, min(accepted) as waiting_since
    from out_message where internal_type = 'STANDARD_MESSAGE' and state = 'ACCEPTED') as unsent on true

-- name: tables
-- schema: each with its columns (not those that are computed), whether its rows are guarded from its owner too, and what it refers to
select relname as name, relforcerowsecurity as guarded,
    array(select attname::text from pg_attribute
          where attrelid = class.oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum) as columns,
    array(select attname::text from pg_attribute
          where attrelid = class.oid and attnum > 0 and not attisdropped and attidentity <> '') as counted,
    array(select other.relname::text from pg_constraint join pg_class as other on other.oid = confrelid
          where conrelid = class.oid and contype = 'f' and confrelid <> conrelid) as refers
from pg_class as class join pg_namespace on pg_namespace.oid = relnamespace
where nspname = $1 and relkind = 'r' and relname <> 'schema_version' order by relname

-- name: first
select coalesce(min(notification_id), 1) from stored_events

-- name: intact
-- digests: those that are there, each with whether it still is that of its content
select digest, encode(sha256(content), 'hex') = digest as intact from payload where digest = any ($1)

-- name: all_intact
-- after digest, page size
select digest, encode(sha256(content), 'hex') = digest as intact from payload where digest > $1 order by digest limit $2

-- name: keep_checkpoint
-- size, root, at, peaks, signature, fingerprint, certificate, issuing certificate
with known as (
    insert into checkpoint_signer (fingerprint, certificate, issuing) values ($6, $7, $8) on conflict do nothing
)
insert into checkpoint (size, root, at, peaks, signature, signer) values ($1, $2, $3, $4, $5, $6) on conflict do nothing

-- name: newest_checkpoint
-- most records, or null
select size, root, at, peaks, signature, signer from checkpoint where $1::bigint is null or size <= $1 order by size desc limit 1

-- name: checkpoints
-- after, page size
select size, root, at, peaks, signature, signer from checkpoint where size > $1 order by size limit $2

-- name: checkpoint_signer
-- fingerprint
select certificate, issuing from checkpoint_signer where fingerprint = $1

-- name: documents
-- mrid, sender or null: the positions of what was recorded of documents with this mRID, the oldest first
select notification_id from stored_events
where case when $2::text is null
    then starts_with(originator_id, 'document/') and right(originator_id, length($1::text) + 1) = '/' || $1
    else originator_id = 'document/' || $2 || '/' || $1 end
order by notification_id
