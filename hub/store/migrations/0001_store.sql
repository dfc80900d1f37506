-- The store of the hub and of each gateway: log, rows, inbox, outbox, tokens. One database per component.
-- Runs with search_path set to the schema of the store. Text that orders or identifies compares by code point, as Python does.

-- The log, in the shape of the `eventsourcing` package (9.5) plus when, why and the hash chain.
create table stored_events (
    originator_id text collate "C" not null,
    originator_version bigint not null,
    topic text not null,
    state bytea not null,
    notification_id bigint not null,
    recorded_at timestamptz not null,
    cause text not null,
    chain bytea not null,
    primary key (originator_id, originator_version)
);
create unique index stored_events_notification_id_idx on stored_events (notification_id);

-- Raw documents by their SHA-256; erasable, because the log holds the digest only.
create table payload (
    digest text collate "C" primary key,
    content bytea not null
);

-- Where each feed stands: `head` is its newest sequence, `gathered` the newest one that a beat has sent (R12, R32).
create table feed (
    view text collate "C" not null,
    audience text collate "C" not null,
    head bigint not null,
    gathered bigint not null default 0,
    primary key (view, audience)
);

-- Every row ever addressed to an audience; a null payload is a withdrawal.
create table row_item (
    view text collate "C" not null,
    audience text collate "C" not null,
    sequence bigint not null,
    key text collate "C" not null,
    payload bytea,
    "group" text collate "C" not null,
    valid_from timestamptz,
    valid_to timestamptz,
    issued timestamptz not null,
    position bigint not null,
    primary key (view, audience, sequence)
);

-- The newest item of each key that is not withdrawn, with what lists are filtered by.
create table row_current (
    view text collate "C" not null,
    audience text collate "C" not null,
    key text collate "C" not null,
    sequence bigint not null,
    "group" text collate "C" not null,
    valid_from timestamptz,
    valid_to timestamptz,
    issued timestamptz not null,
    primary key (view, audience, key)
);
create index row_current_group on row_current (view, audience, "group", key);

-- Messages taken in; identity is (sender, message id).
create table in_message (
    sender text collate "C" not null,
    message_id text collate "C" not null,
    business_type text not null,
    document text not null,
    digest text not null,
    received timestamptz not null,
    expires timestamptz not null,
    primary key (sender, message_id)
);

-- Messages to send. `due` is null when nothing is left to publish; `lease_until` is set while a sender has it in hand.
create table out_message (
    message_id text collate "C" primary key,
    queued bigint generated always as identity,
    internal_type text not null,
    receiver text collate "C" not null,
    business_type text not null,
    document text collate "C" not null,
    urgent boolean not null,
    accepted timestamptz not null,
    expires timestamptz not null,
    state text not null default 'ACCEPTED',
    reason text,
    attempts integer not null default 0,
    due timestamptz,
    lease_until timestamptz,
    view text,
    audience text,
    after bigint,
    upto bigint,
    body bytea,
    related text collate "C",
    related_digest text
);
create index out_message_due on out_message (urgent desc, queued) where due is not null;
create index out_message_order on out_message (receiver, document, queued) where due is not null;
create index out_message_document on out_message (document, queued);
create index out_message_related on out_message (related, receiver) where related is not null;
create index out_message_undelivered on out_message (business_type, accepted) where state = 'ACCEPTED';

-- The story of each message, in the order it was learned.
create table trace (
    id bigint generated always as identity primary key,
    message_id text collate "C" not null references out_message on delete cascade,
    at timestamptz not null,
    component text not null,
    state text not null,
    details text not null default ''
);
create index trace_message on trace (message_id, id);
create type trace_step as (at timestamptz, component text, state text, details text);

-- A client's promise that a write is one write.
create table idempotency_key (
    scope text collate "C" not null,
    key text collate "C" not null,
    fingerprint text not null,
    documents text[] not null,
    created timestamptz not null,
    primary key (scope, key)
);

-- Bearer tokens: only their SHA-256 is here. What each token was last answered, per view (R33).
create table token (
    hash bytea primary key,
    participant text collate "C" not null,
    label text not null,
    created timestamptz not null,
    expires timestamptz,
    revoked timestamptz
);
create table token_position (
    token_hash bytea not null references token on delete cascade,
    view text collate "C" not null,
    sequence bigint not null,
    primary key (token_hash, view)
);

-- Facts about this store: whose it is, versions of views.
create table meta (
    key text collate "C" primary key,
    value text not null
);

-- What one commit brings, as arrays of these.
create type new_event as (stream text, version bigint, topic text, state bytea, cause text, chain bytea);
create type new_row as (
    position bigint, view text, audience text, key text, payload bytea, "group" text, valid_from timestamptz, valid_to timestamptz,
    issued timestamptz, business_type text, document text, expires timestamptz, urgent boolean
);
create type new_entry as (
    sender text, message_id text, business_type text, document text, digest text, received timestamptz, expires timestamptz
);
create type new_payload as (digest text, content bytea);
create type new_key as (scope text, key text, fingerprint text, documents text[]);

-- Number the rows within their feeds, store them, move the current ones, and queue those that leave as documents.
create function store_rows(decided_at timestamptz, own_component text, rows new_row[]) returns void language plpgsql
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
            view, audience, after, upto)
        select replace(gen_random_uuid()::text, '-', ''), 'STANDARD_MESSAGE', audience, business_type, document, urgent,
            decided_at, expires, decided_at, view, audience, sequence - 1, sequence
        from numbered where document is not null order by ordinality
        returning message_id, queued
    )
    insert into trace (message_id, at, component, state)
    select message_id, decided_at, own_component, 'ACCEPTED' from sent order by queued;
end
$$;

-- Take messages in and queue both acknowledgements of each (R29).
create function take_in(decided_at timestamptz, entries new_entry[]) returns void language plpgsql
set search_path from current as $$
begin
    insert into in_message (sender, message_id, business_type, document, digest, received, expires)
    select * from unnest(entries);
    insert into out_message (message_id, internal_type, receiver, business_type, document, urgent, accepted, expires, due,
        related, related_digest)
    select replace(gen_random_uuid()::text, '-', ''), kind, sender, business_type, '', true, decided_at,
        decided_at + interval '24 hours', decided_at, message_id, digest
    from unnest(entries) with ordinality
    cross join (values (1, 'DELIVERY_ACKNOWLEDGEMENT'), (2, 'RECEIVE_ACKNOWLEDGEMENT')) as acknowledgements (rank, kind)
    order by ordinality, rank;
end
$$;

-- One commit. Insert order must equal commit order, else a reader tailing the log skips events that commit late: the lock ends
-- with the transaction, and each statement here sees what was committed before the lock was given. Null: somebody else was first.
create function commit_batch(
    decided_on bigint, decided_at timestamptz, own_component text,
    events new_event[], rows new_row[], entries new_entry[], contents new_payload[], keys new_key[]
) returns bigint language plpgsql set search_path from current as $$
declare
    head bigint;
begin
    perform pg_advisory_xact_lock(728301, 1);
    select coalesce(max(notification_id), 0) into head from stored_events;
    if head <> decided_on then
        return null;
    end if;
    insert into stored_events (originator_id, originator_version, topic, state, notification_id, recorded_at, cause, chain)
    select stream, version, topic, state, decided_on + ordinality, decided_at, cause, chain from unnest(events) with ordinality;
    if cardinality(rows) > 0 then
        perform store_rows(decided_at, own_component, rows);
    end if;
    if cardinality(entries) > 0 then
        perform take_in(decided_at, entries);
    end if;
    insert into payload (digest, content) select digest, content from unnest(contents) on conflict do nothing;
    insert into idempotency_key (scope, key, fingerprint, documents, created)
    select scope, key, fingerprint, documents, decided_at from unnest(keys);
    head := decided_on + cardinality(events);
    perform pg_notify('tps', head::text);
    return head;
end
$$;
