-- Which version of each projection the rows come from, and what a rebuild has added to a feed (R32).

-- `version` made the rows of the views; `position` is how far a rebuild has come that brings another version.
create table projection (
    name text collate "C" primary key,
    version integer not null,
    position bigint not null default 0,
    rebuilt timestamptz
);

-- A hub that is older than this table has the first version of what there was.
insert into projection (name, version)
select name, 1 from unnest(array['agr_limits', 'dso_assets', 'dso_schedules', 'agr_assets', 'responses', 'acknowledgements',
    'operator_board', 'document_trail']) as name
where exists (select from stored_events where topic = 'ParticipantAdded.v1');

-- A correction is an item no event has caused: a rebuild appended it, so that every reader learns what is so.
alter table row_item add column correction boolean not null default false;

-- What another version of the projection told: items up to `told`, from events up to `since`. They stay as they are.
alter table feed
    add column told bigint not null default 0,
    add column since bigint not null default 0;
