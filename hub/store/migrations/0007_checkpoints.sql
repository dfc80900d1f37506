-- Signed checkpoints of the Merkle tree over the log: what the log was at that moment, so that a changed one can be told.

-- Whose key signed: its certificate and the issuing one (DER), kept because a folder of certificates changes with the years.
create table checkpoint_signer (
    fingerprint text collate "C" primary key,
    certificate bytea not null,
    issuing bytea not null
);

-- `root` is that of the tree over the first `size` records, `peaks` what the tree grows on from.
create table checkpoint (
    size bigint primary key,
    root bytea not null,
    at timestamptz not null,
    peaks bytea not null,
    signature bytea not null,
    signer text collate "C" not null references checkpoint_signer
);
