CREATE TABLE clerk (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE locker (
  id       INTEGER PRIMARY KEY,
  size     INTEGER NOT NULL CHECK (size IN (1, 2, 3)),
  working  INTEGER NOT NULL CHECK (working IN (0, 1))
) STRICT;

CREATE TABLE parcel (
  id            INTEGER PRIMARY KEY,
  recipient     TEXT    NOT NULL,
  size          INTEGER NOT NULL CHECK (size IN (1, 2, 3)),
  code          TEXT    NOT NULL CHECK (length(code) = 4),  -- shown by the recipient
  locker_id     INTEGER NOT NULL REFERENCES locker (id),    -- where it waits, or waited last
  arrived_on    TEXT    NOT NULL,
  collected_at  TEXT,                                       -- NULL while it waits
  clerk_id      INTEGER REFERENCES clerk (id),              -- who handed it out
  CHECK ((collected_at IS NULL) = (clerk_id IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_waiting_parcel_per_locker
  ON parcel (locker_id) WHERE collected_at IS NULL;
