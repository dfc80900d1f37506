-- A signed manifest that says several things is kept once; what it says of each message names it by its SHA-256.
create table acknowledgement_list (
    digest text collate "C" primary key,
    manifest bytea not null
);

-- Where `list` names it, `manifest` is empty.
alter table acknowledgement add column list text collate "C" references acknowledgement_list;
