CREATE TABLE planner (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('planner', 'manager'))
) STRICT;

CREATE TABLE <<site>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL
) STRICT;

CREATE TABLE qualification (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  valid_months INTEGER NOT NULL CHECK (valid_months BETWEEN 6 AND 60)
) STRICT;

CREATE TABLE <<person>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('<<r1>>', '<<r2>>', '<<r3>>')),
  contract_hours INTEGER NOT NULL CHECK (contract_hours BETWEEN 4 AND 60),
  hourly_cents INTEGER NOT NULL CHECK (hourly_cents > 0),
  leave_days INTEGER NOT NULL CHECK (leave_days BETWEEN 0 AND 60),
  phone TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'left'))
) STRICT;

CREATE TABLE <<cert>> (
  id INTEGER PRIMARY KEY,
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  qualification_id INTEGER NOT NULL REFERENCES qualification (id),
  expires_on TEXT NOT NULL,
  UNIQUE (<<person>>_id, qualification_id)
) STRICT;

CREATE TABLE shift (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  <<site>>_id INTEGER NOT NULL REFERENCES <<site>> (id),
  kind TEXT NOT NULL CHECK (kind IN ('<<k1>>', '<<k2>>', '<<k3>>')),
  role TEXT NOT NULL CHECK (role IN ('<<r1>>', '<<r2>>', '<<r3>>')),
  qualification_id INTEGER REFERENCES qualification (id),
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'cancelled')),
  note TEXT,
  CHECK (ends_at > starts_at)
) STRICT;
CREATE INDEX shift_start ON shift (starts_at);

CREATE TABLE duty (
  id INTEGER PRIMARY KEY,
  shift_id INTEGER NOT NULL REFERENCES shift (id),
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  status TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'worked', 'released', 'sick')),
  reason TEXT
) STRICT;
CREATE UNIQUE INDEX one_duty ON duty (shift_id) WHERE status IN ('planned', 'worked');
CREATE INDEX duty_person ON duty (<<person>>_id);
CREATE INDEX duty_shift ON duty (shift_id);

CREATE TABLE wish (
  id INTEGER PRIMARY KEY,
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  on_date TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('blocked', 'off')),
  UNIQUE (<<person>>_id, on_date)
) STRICT;

CREATE TABLE leave_request (
  id INTEGER PRIMARY KEY,
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  from_on TEXT NOT NULL,
  to_on TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'annual' CHECK (kind IN ('annual', 'unpaid')),
  status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'declined', 'withdrawn')),
  asked_on TEXT NOT NULL,
  reason TEXT,
  decided_by INTEGER REFERENCES planner (id),
  CHECK (to_on >= from_on)
) STRICT;

CREATE INDEX leave_person ON leave_request (<<person>>_id);

CREATE TABLE sickness (
  id INTEGER PRIMARY KEY,
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  from_on TEXT NOT NULL,
  to_on TEXT,
  CHECK (to_on IS NULL OR to_on >= from_on)
) STRICT;

CREATE TABLE swap (
  id INTEGER PRIMARY KEY,
  given_id INTEGER NOT NULL REFERENCES duty (id),
  wanted_id INTEGER NOT NULL REFERENCES duty (id),
  status TEXT NOT NULL DEFAULT 'asked' CHECK (status IN ('asked', 'approved', 'declined')),
  asked_on TEXT NOT NULL,
  reason TEXT,
  CHECK (given_id <> wanted_id)
) STRICT;

CREATE TABLE offer (
  id INTEGER PRIMARY KEY,
  shift_id INTEGER NOT NULL REFERENCES shift (id),
  bonus_cents INTEGER NOT NULL CHECK (bonus_cents BETWEEN 0 AND 20000),
  offered_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'filled', 'withdrawn'))
) STRICT;
CREATE UNIQUE INDEX one_offer ON offer (shift_id) WHERE status = 'open';

CREATE TABLE bid (
  id INTEGER PRIMARY KEY,
  offer_id INTEGER NOT NULL REFERENCES offer (id),
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  made_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'made' CHECK (status IN ('made', 'accepted', 'closed')),
  UNIQUE (offer_id, <<person>>_id)
) STRICT;

CREATE TABLE timesheet (
  id INTEGER PRIMARY KEY,
  duty_id INTEGER NOT NULL UNIQUE REFERENCES duty (id),
  minutes INTEGER NOT NULL CHECK (minutes BETWEEN 0 AND 1440),
  status TEXT NOT NULL DEFAULT 'submitted' CHECK (status IN ('submitted', 'approved')),
  note TEXT
) STRICT;

CREATE TABLE notice (
  id INTEGER PRIMARY KEY,
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  sent_at TEXT NOT NULL,
  sent_by INTEGER NOT NULL REFERENCES planner (id),
  text TEXT NOT NULL
) STRICT;

-- part training
CREATE TABLE course (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  qualification_id INTEGER NOT NULL REFERENCES qualification (id),
  held_on TEXT NOT NULL,
  places INTEGER NOT NULL CHECK (places > 0),
  fee_cents INTEGER NOT NULL CHECK (fee_cents >= 0)
) STRICT;

CREATE TABLE course_booking (
  id INTEGER PRIMARY KEY,
  course_id INTEGER NOT NULL REFERENCES course (id),
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  status TEXT NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'cancelled'))
) STRICT;
CREATE UNIQUE INDEX one_booking ON course_booking (course_id, <<person>>_id) WHERE status = 'booked';
-- end part

-- part expenses
CREATE TABLE expense (
  id INTEGER PRIMARY KEY,
  <<person>>_id INTEGER NOT NULL REFERENCES <<person>> (id),
  kind TEXT NOT NULL CHECK (kind IN ('taxi', 'meal', 'parking', 'clothing')),
  cents INTEGER NOT NULL CHECK (cents > 0),
  spent_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'submitted' CHECK (status IN ('submitted', 'approved', 'declined')),
  reason TEXT
) STRICT;
-- end part

CREATE VIEW shift_info AS
SELECT s.id AS shift_id, date(s.starts_at) AS on_date, date(s.starts_at, 'weekday 0', '-6 days') AS week_on,
  CAST(round((julianday(s.ends_at) - julianday(s.starts_at)) * 1440) AS INTEGER) AS minutes,
  strftime('%Y-%m-%dT%H:%M:%S', s.starts_at, '-11 hours') AS rest_from,
  strftime('%Y-%m-%dT%H:%M:%S', s.ends_at, '+11 hours') AS rest_to,
  s.status = 'planned' AND s.starts_at > now() AND NOT EXISTS (SELECT 1 FROM duty AS d WHERE d.shift_id = s.id AND d.status IN ('planned', 'worked')) AS is_open,
  EXISTS (SELECT 1 FROM offer AS o WHERE o.shift_id = s.id AND o.status = 'open') AS offered
FROM shift AS s;

CREATE VIEW booked AS
SELECT d.id AS duty_id, d.<<person>>_id, d.shift_id, s.starts_at, s.ends_at, i.minutes, i.week_on, i.on_date
FROM duty AS d JOIN shift AS s ON s.id = d.shift_id JOIN shift_info AS i ON i.shift_id = s.id
WHERE d.status IN ('planned', 'worked');

CREATE VIEW leave_info AS
SELECT l.id AS leave_id, l.<<person>>_id, CAST(julianday(l.to_on) - julianday(l.from_on) AS INTEGER) + 1 AS days,
  (SELECT count(*) FROM duty AS d JOIN shift AS s ON s.id = d.shift_id WHERE d.<<person>>_id = l.<<person>>_id AND d.status = 'planned' AND date(s.starts_at) BETWEEN l.from_on AND l.to_on) AS duties
FROM leave_request AS l;

CREATE VIEW leave_balance AS
SELECT p.id AS <<person>>_id, p.leave_days - (SELECT coalesce(sum(i.days), 0) FROM leave_request AS l JOIN leave_info AS i ON i.leave_id = l.id
  WHERE l.<<person>>_id = p.id AND l.kind = 'annual' AND l.status = 'approved') AS left_days
FROM <<person>> AS p;

-- Who might take a shift, and what stands against it (rules only; a wish to be off is no rule).
CREATE VIEW candidate AS
SELECT c.*, NOT c.gone AND NOT c.other_role AND NOT c.unqualified AND NOT c.away AND NOT c.blocked AND NOT c.busy AND NOT c.tired AND NOT c.beyond AS fits,
  c.gone + c.other_role + c.unqualified + c.away + c.blocked + c.busy + c.tired + c.beyond AS obstacles,
  CASE WHEN c.gone THEN 'has left'
    WHEN c.other_role THEN 'has another role'
    WHEN c.unqualified THEN 'has no valid <<cert>> for it'
    WHEN c.away THEN 'is on leave or sick that day'
    WHEN c.blocked THEN 'is not available that day'
    WHEN c.busy THEN 'has another duty at that time'
    WHEN c.tired THEN 'would have less than 11 hours of rest'
    WHEN c.beyond THEN 'would be more than <<over>> hours over contract that week' END AS obstacle
FROM (
  SELECT s.id AS shift_id, p.id AS <<person>>_id, i.on_date, i.minutes, CAST(round(i.minutes * p.hourly_cents / 60.0) AS INTEGER) AS cost_cents,
    p.contract_hours * 60 AS contract_minutes, p.status = 'left' AS gone, p.role <> s.role AS other_role,
    s.qualification_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM <<cert>> AS k WHERE k.<<person>>_id = p.id AND k.qualification_id = s.qualification_id AND k.expires_on >= date(s.starts_at)) AS unqualified,
    EXISTS (SELECT 1 FROM leave_request AS l WHERE l.<<person>>_id = p.id AND l.status = 'approved' AND date(s.starts_at) BETWEEN l.from_on AND l.to_on)
      OR EXISTS (SELECT 1 FROM sickness AS x WHERE x.<<person>>_id = p.id AND date(s.starts_at) >= x.from_on AND (x.to_on IS NULL OR date(s.starts_at) <= x.to_on)) AS away,
    EXISTS (SELECT 1 FROM wish AS w WHERE w.<<person>>_id = p.id AND w.kind = 'blocked' AND w.on_date = date(s.starts_at))
-- part training
      OR EXISTS (SELECT 1 FROM course_booking AS b JOIN course AS r ON r.id = b.course_id WHERE b.<<person>>_id = p.id AND b.status = 'booked' AND r.held_on = date(s.starts_at))
-- end part
      AS blocked,
    EXISTS (SELECT 1 FROM wish AS w WHERE w.<<person>>_id = p.id AND w.kind = 'off' AND w.on_date = date(s.starts_at)) AS wishes_off,
    EXISTS (SELECT 1 FROM duty AS d JOIN shift AS o ON o.id = d.shift_id WHERE d.<<person>>_id = p.id AND d.status IN ('planned', 'worked') AND o.id <> s.id AND o.starts_at < s.ends_at AND o.ends_at > s.starts_at) AS busy,
    EXISTS (SELECT 1 FROM duty AS d JOIN shift AS o ON o.id = d.shift_id WHERE d.<<person>>_id = p.id AND d.status IN ('planned', 'worked') AND o.id <> s.id AND o.starts_at < i.rest_to AND o.ends_at > i.rest_from
      AND NOT (o.starts_at < s.ends_at AND o.ends_at > s.starts_at)) AS tired,
    (SELECT coalesce(sum(b.minutes), 0) FROM booked AS b WHERE b.<<person>>_id = p.id AND b.week_on = i.week_on AND b.shift_id <> s.id) AS week_minutes,
    (SELECT coalesce(sum(b.minutes), 0) FROM booked AS b WHERE b.<<person>>_id = p.id AND b.week_on = i.week_on AND b.shift_id <> s.id) + i.minutes > (p.contract_hours + <<over>>) * 60 AS beyond
  FROM shift AS s JOIN shift_info AS i ON i.shift_id = s.id JOIN <<person>> AS p
) AS c;

CREATE VIEW timesheet_info AS
SELECT t.id AS timesheet_id, d.<<person>>_id, d.shift_id, i.on_date, i.minutes AS planned_minutes, CAST(round(t.minutes * p.hourly_cents / 60.0) AS INTEGER) AS pay_cents
FROM timesheet AS t JOIN duty AS d ON d.id = t.duty_id JOIN shift_info AS i ON i.shift_id = d.shift_id JOIN <<person>> AS p ON p.id = d.<<person>>_id;
