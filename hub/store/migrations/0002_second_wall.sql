-- The second wall (NF3): rows are read as the role tps_reader only, which sees nothing but the audience it was given.
-- Even a wrong query cannot return another audience's rows; without an audience there are none.

alter table feed enable row level security;
alter table feed force row level security;
alter table row_item enable row level security;
alter table row_item force row level security;
alter table row_current enable row level security;
alter table row_current force row level security;

create policy own_rows on feed for select to tps_reader using (audience = current_setting('tps.audience', true));
create policy own_rows on row_item for select to tps_reader using (audience = current_setting('tps.audience', true));
create policy own_rows on row_current for select to tps_reader using (audience = current_setting('tps.audience', true));

-- The owner of the tables writes them; it reads rows through the functions below only.
create policy writer on feed to current_user using (true) with check (true);
create policy writer on row_item to current_user using (true) with check (true);
create policy writer on row_current to current_user using (true) with check (true);

grant select on feed, row_item, row_current to tps_reader;

-- These run as tps_reader (their owner). They do not filter by audience: the policy does.
create function feed_items(for_audience text, of_view text, after_sequence bigint, at_most bigint)
returns setof row_item language plpgsql security definer set search_path from current as $$
begin
    perform set_config('tps.audience', for_audience, true);
    return query select * from row_item
        where view = of_view and sequence > after_sequence order by sequence limit at_most;
end
$$;

create function feed_head(for_audience text, of_view text)
returns bigint language plpgsql security definer set search_path from current as $$
begin
    perform set_config('tps.audience', for_audience, true);
    return coalesce((select head from feed where view = of_view), 0);
end
$$;

create function current_items(
    for_audience text, of_view text, only_key text, groups text[], overlap_from timestamptz, overlap_to timestamptz,
    issued_from timestamptz, issued_to timestamptz, after_key text, at_most bigint
) returns setof row_item language plpgsql security definer set search_path from current as $$
begin
    perform set_config('tps.audience', for_audience, true);
    return query select item.* from row_current as present
        join row_item as item using (view, audience, sequence)
        where present.view = of_view
          and (only_key is null or present.key = only_key)
          and (cardinality(groups) = 0 or present."group" = any (groups))
          and (overlap_from is null or (present.valid_from < overlap_to and overlap_from < present.valid_to))
          and (issued_from is null or (present.issued >= issued_from and present.issued < issued_to))
          and present.key > after_key
        order by present.key limit at_most;
end
$$;

revoke all on function feed_items, feed_head, current_items from public;
grant execute on function feed_items, feed_head, current_items to current_user;

-- A function may only be given to a role that may create in its schema; the right is taken back at once.
do $$
declare
    name text := current_schema();
begin
    execute format('grant usage, create on schema %I to tps_reader', name);
    alter function feed_items owner to tps_reader;
    alter function feed_head owner to tps_reader;
    alter function current_items owner to tps_reader;
    execute format('revoke create on schema %I from tps_reader', name);
end
$$;
