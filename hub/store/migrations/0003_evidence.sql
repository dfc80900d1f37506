-- Evidence of the transport: what was sealed and sent, who signed what came in, and the acknowledgements that arrived.

-- `sealed` are the bytes that every retry sends, made for the certificate `sealed_for`; `manifests` are the SHA-256 of every
-- manifest ever sent for this message, any of which may be acknowledged. An acknowledgement names its manifest in `related_manifest`.
alter table out_message
    add column sealed bytea,
    add column sealed_for text,
    add column manifests text[] not null default '{}',
    add column related_manifest text;

-- The manifest that the sender signed; with the payload kept under its digest it proves the origin of a message.
alter table in_message add column manifest bytea;

-- Signed manifests of acknowledgements for our messages: they prove that the receiver has, or refused, what we sent.
create table acknowledgement (
    message_id text collate "C" not null references out_message on delete cascade,
    internal_type text not null,
    manifest bytea not null,
    primary key (message_id, internal_type)
);

alter type new_entry add attribute manifest bytea;

create or replace function take_in(decided_at timestamptz, entries new_entry[]) returns void language plpgsql
set search_path from current as $$
begin
    insert into in_message (sender, message_id, business_type, document, digest, received, expires, manifest)
    select * from unnest(entries);
    insert into out_message (message_id, internal_type, receiver, business_type, document, urgent, accepted, expires, due,
        related, related_digest, related_manifest)
    select replace(gen_random_uuid()::text, '-', ''), kind, sender, business_type, '', true, decided_at,
        decided_at + interval '24 hours', decided_at, message_id, digest, encode(sha256(manifest), 'hex')
    from unnest(entries) with ordinality
    cross join (values (1, 'DELIVERY_ACKNOWLEDGEMENT'), (2, 'RECEIVE_ACKNOWLEDGEMENT')) as acknowledgements (rank, kind)
    order by ordinality, rank;
end
$$;
