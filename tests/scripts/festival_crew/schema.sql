CREATE TABLE coordinator (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE,
  desk  TEXT    NOT NULL
) STRICT;

CREATE TABLE training (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  valid_months  INTEGER NOT NULL CHECK (valid_months > 0)
) STRICT;

CREATE TABLE area (
  id           INTEGER PRIMARY KEY,
  name         TEXT    NOT NULL UNIQUE,
  lead         TEXT    NOT NULL,
  training_id  INTEGER REFERENCES training (id),                        -- none is asked for if NULL
  min_age      INTEGER NOT NULL CHECK (min_age BETWEEN 16 AND 21)
) STRICT;

CREATE TABLE volunteer (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  phone      TEXT    NOT NULL UNIQUE,
  email      TEXT,
  born_on    TEXT    NOT NULL,
  status     TEXT    NOT NULL DEFAULT 'registered' CHECK (status IN ('registered', 'checked_in', 'withdrawn')),
  wristband  TEXT    UNIQUE,
  note       TEXT,
  CHECK ((status = 'checked_in') = (wristband IS NOT NULL))
) STRICT;

CREATE TABLE certificate (
  id            INTEGER PRIMARY KEY,
  volunteer_id  INTEGER NOT NULL REFERENCES volunteer (id),
  training_id   INTEGER NOT NULL REFERENCES training (id),
  passed_on     TEXT    NOT NULL,
  expires_on    TEXT    NOT NULL,                                       -- last day it holds
  UNIQUE (volunteer_id, training_id, passed_on),
  CHECK (passed_on < expires_on)
) STRICT;

CREATE TABLE shift (
  id         INTEGER PRIMARY KEY,
  area_id    INTEGER NOT NULL REFERENCES area (id),
  starts_at  TEXT    NOT NULL,
  ends_at    TEXT    NOT NULL,
  places     INTEGER NOT NULL CHECK (places > 0),
  UNIQUE (area_id, starts_at),
  CHECK (starts_at < ends_at)
) STRICT;

CREATE TABLE signup (
  id              INTEGER PRIMARY KEY,
  volunteer_id    INTEGER NOT NULL REFERENCES volunteer (id),
  shift_id        INTEGER NOT NULL REFERENCES shift (id),
  status          TEXT    NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'worked', 'no_show', 'cancelled')),
  signed_at       TEXT    NOT NULL,
  coordinator_id  INTEGER NOT NULL REFERENCES coordinator (id),         -- who booked it
  reason          TEXT,                                                 -- why it was cancelled
  CHECK ((status = 'cancelled') = (reason IS NOT NULL))
) STRICT;

CREATE INDEX signup_by_shift ON signup (shift_id);

CREATE TABLE voucher (
  id              INTEGER PRIMARY KEY,
  signup_id       INTEGER NOT NULL UNIQUE REFERENCES signup (id),
  value_pence     INTEGER NOT NULL CHECK (value_pence > 0),
  issued_at       TEXT    NOT NULL,
  coordinator_id  INTEGER NOT NULL REFERENCES coordinator (id),
  spent_at        TEXT,
  CHECK (spent_at IS NULL OR spent_at >= issued_at)
) STRICT;

CREATE TABLE incident (
  id              INTEGER PRIMARY KEY,
  area_id         INTEGER NOT NULL REFERENCES area (id),
  volunteer_id    INTEGER REFERENCES volunteer (id),                    -- whom it is about, if anybody
  severity        TEXT    NOT NULL CHECK (severity IN ('minor', 'major', 'serious')),
  summary         TEXT    NOT NULL,
  reported_at     TEXT    NOT NULL,
  coordinator_id  INTEGER NOT NULL REFERENCES coordinator (id),         -- who deals with it
  status          TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
  closed_at       TEXT,
  outcome         TEXT,
  CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
  CHECK ((closed_at IS NULL) = (outcome IS NULL))
) STRICT;

-- Each shift with its length, the end of the rest after it, and the places that are taken.
CREATE VIEW shift_plan AS
SELECT p.*, places - taken AS free_places, places > taken AND starts_at > now() AS open
FROM (
  SELECT shift.id AS shift_id, area_id, area.name AS area, training_id, min_age, starts_at, ends_at, places,
    strftime('%Y-%m-%dT%H:%M:%S', ends_at, '+8 hours') AS rest_until,
    CAST(round((julianday(ends_at) - julianday(starts_at)) * 1440) AS INTEGER) AS minutes,
    (SELECT count(*) FROM signup WHERE shift_id = shift.id AND status <> 'cancelled') AS taken
  FROM shift JOIN area ON area.id = area_id
) AS p;

-- What a volunteer has worked or will work, with the time that it keeps from other shifts.
CREATE VIEW duty AS
SELECT signup.id AS signup_id, volunteer_id, p.shift_id, p.starts_at, p.rest_until, p.minutes
FROM signup JOIN shift_plan AS p ON p.shift_id = signup.shift_id
WHERE signup.status IN ('booked', 'worked');

-- Why a volunteer may not work a shift of an area, whatever else is booked.
CREATE VIEW unfit AS
SELECT volunteer.id AS volunteer_id, p.shift_id, volunteer.name || ' is not ' || min_age || ' by the day of that shift.' AS why
FROM volunteer JOIN shift_plan AS p ON date(born_on, '+' || min_age || ' years') > date(p.starts_at)
UNION ALL
SELECT volunteer.id, p.shift_id, volunteer.name || ' has no certificate in ' || training.name || ' that holds on the day of that shift.'
FROM volunteer JOIN shift_plan AS p JOIN training ON training.id = p.training_id
WHERE NOT EXISTS (SELECT 1 FROM certificate AS c
  WHERE c.volunteer_id = volunteer.id AND c.training_id = training.id AND date(p.starts_at) BETWEEN c.passed_on AND c.expires_on);

-- The duties of a volunteer that leave no eight hours of rest before or after a shift.
CREATE VIEW clash AS
SELECT duty.volunteer_id, p.shift_id, duty.signup_id, duty.shift_id AS other_shift_id
FROM shift_plan AS p JOIN duty ON duty.starts_at < p.rest_until AND duty.rest_until > p.starts_at;
