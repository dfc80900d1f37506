-- For tests: each kind of change that a version may make while the version before works on the same database.
create table later (n integer primary key);
alter table out_message add column later text;
alter table in_message add column later text;
alter table row_item add column later integer not null default 0;
alter table row_current add column later integer not null default 0;
alter table feed add column later integer not null default 0;
alter table stored_events add column later text;
alter table payload add column later text;
alter table trace add column later text;
alter table token add column later text;
alter table token_position add column later text;
alter table idempotency_key add column later text;
alter table meta add column later text;
create index later_topic on stored_events (topic);
create function later_head() returns bigint language sql set search_path from current
    as $$ select coalesce(max(notification_id), 0) from stored_events $$;
create or replace function feed_head(for_audience text, of_view text)
returns bigint language plpgsql security definer set search_path from current as $$
begin
    perform set_config('tps.audience', for_audience, true);
    return coalesce((select head from feed where view = of_view), 0);
end
$$;
insert into later select 1 where exists (select from stored_events);
