-- Format 1. Times are milliseconds since 1970 UTC, money is millionths of a US dollar.

-- Small facts about the file itself.
create table meta(name text primary key, value text not null) without rowid;

-- One line for each run. `tree` and `path` are the id in a form that sorts: the root's id, then
-- for each level the number of digits and the digits. Everything here follows from the records;
-- `check` compares. `checksum` is a CRC-32 of the other columns.
create table run(
  key integer primary key,
  id text not null,
  tree text not null,
  path text not null,
  orchestrator text not null,
  version text not null,
  tenant text not null,
  idempotency_key text,
  started integer not null,
  entries integer not null,
  steps integer not null,
  money integer not null,
  tokens integer not null,
  calls integer not null,
  tail integer not null,
  parked integer not null,
  due integer,
  ended integer,
  status text,
  category text,
  checksum integer not null
);
-- Lists read these backwards, so that new runs are appended at the end of every index.
create unique index run_place on run(tree, path desc);
create unique index run_key on run(tenant, orchestrator, idempotency_key)
  where idempotency_key is not null;
create index run_tenant on run(tenant, tree, path desc);
create index run_orchestrator on run(orchestrator, tree, path desc);
create index run_open on run(tree, path desc) where ended is null;
create index run_root on run(tree) where path = '';
create index run_over on run(ended) where path = '' and ended is not null;

-- The log of all runs in the order of commit. The records of one run are a chain: `run.tail` is
-- the key of its last record, `previous` that of the one before (0 for none). So a commit only
-- touches the end of the table, however many runs there are. `checksum` is a CRC-32 of body, key,
-- run, seq and previous.
create table record(
  key integer primary key,
  run integer not null,
  seq integer not null,
  previous integer not null,
  body text not null,
  checksum integer not null
);

-- Content by BLAKE3 hash; `codec` 0 as it is, 1 Zstandard; `size` before compression.
create table payload(
  key integer primary key,
  hash blob not null unique,
  codec integer not null,
  size integer not null,
  bytes blob not null
);
-- Content that was put by itself, and when: it may not be referred to yet.
create table fresh(payload integer primary key, since integer not null);
-- Which runs mention which content; `mark` is the first eight bytes of a hash.
create table mention(run integer not null, mark integer not null, primary key(run, mark))
  without rowid;
create index mention_mark on mention(mark);

-- Spend by tenant and hour since 1970.
create table spent(
  tenant text not null,
  hour integer not null,
  money integer not null,
  tokens integer not null,
  calls integer not null,
  checksum integer not null,
  primary key(tenant, hour)
) without rowid;

-- Requests from other processes that no commit has taken care of yet.
create table inbox(id integer primary key autoincrement, body text not null, checksum integer not null);

-- For people with a SQLite shell; the program does not read these.
create view runs as
  select id, orchestrator, version, tenant,
    case when ended is not null then status when parked then 'waiting' else 'open' end as state,
    category, steps, money / 1e6 as dollars, tokens, calls,
    strftime('%Y-%m-%dT%H:%M:%fZ', started / 1000.0, 'unixepoch') as started,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended / 1000.0, 'unixepoch') as ended,
    strftime('%Y-%m-%dT%H:%M:%fZ', due / 1000.0, 'unixepoch') as due
  from run;
create view history as
  select run.id as run, record.seq, body ->> '$.record' as record, body ->> '$.position' as position,
    body ->> '$.callee' as callee, coalesce(body ->> '$.result.Ok.status',
      iif(body ->> '$.result.Err' is not null, 'failed', null)) as status, body
  from record join run on run.key = record.run;
