-- Format 2. The line about an open run and the spend of its tenant may lag behind the newest
-- records, so that a step writes at one place and not at three. `settled` is the key of the last
-- record that all of them tell of, written twice; what came later is added when they are read.
insert into meta select 'settled', last || ' ' || last
  from (select coalesce(max(key), 0) as last from record);

drop view runs;
create view runs as
  with recent as (
    select run.key as run, count(*) as steps,
      sum(coalesce(body ->> '$.spend.money', 0)) as money,
      sum(coalesce(body ->> '$.spend.tokens', 0)) as tokens,
      sum(coalesce(body ->> '$.spend.calls', 0)) as calls
    from record join run on run.key = record.run and record.seq >= run.entries
    where record.key > (select cast(value as integer) from meta where name = 'settled')
      and body ->> '$.record' = 'step'
    group by run.key
  )
  select id, orchestrator, version, tenant,
    case when ended is not null then status when parked then 'waiting' else 'open' end as state,
    category, run.steps + coalesce(recent.steps, 0) as steps,
    (run.money + coalesce(recent.money, 0)) / 1e6 as dollars,
    run.tokens + coalesce(recent.tokens, 0) as tokens,
    run.calls + coalesce(recent.calls, 0) as calls,
    strftime('%Y-%m-%dT%H:%M:%fZ', started / 1000.0, 'unixepoch') as started,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended / 1000.0, 'unixepoch') as ended,
    strftime('%Y-%m-%dT%H:%M:%fZ', due / 1000.0, 'unixepoch') as due
  from run left join recent on recent.run = run.key;
