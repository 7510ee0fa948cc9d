CREATE TABLE staff (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE,
  role  TEXT    NOT NULL CHECK (role IN ('reception', 'manager', 'accounts'))
) STRICT;

CREATE TABLE <<practitioner>> (
  id     INTEGER PRIMARY KEY,
  name   TEXT    NOT NULL UNIQUE,
  role   TEXT    NOT NULL CHECK (role IN ('<<role_a>>', '<<role_b>>')),
  since  TEXT    NOT NULL
) STRICT;

-- Weekly working hours; weekday 1 is Monday. Times are HH:MM.
CREATE TABLE hours (
  id         INTEGER PRIMARY KEY,
  <<practitioner>>_id  INTEGER NOT NULL REFERENCES <<practitioner>> (id),
  weekday    INTEGER NOT NULL CHECK (weekday BETWEEN 1 AND 5),
  from_time  TEXT    NOT NULL,
  to_time    TEXT    NOT NULL,
  UNIQUE (<<practitioner>>_id, weekday),
  CHECK (from_time < to_time)
) STRICT;

-- The days for which the appointment book is kept; with a holiday the practice is closed.
CREATE TABLE calendar (
  on_date  TEXT    PRIMARY KEY,
  weekday  INTEGER NOT NULL CHECK (weekday BETWEEN 1 AND 5),
  holiday  TEXT
) STRICT;

CREATE TABLE start_time (
  at  TEXT PRIMARY KEY
) STRICT;

CREATE TABLE leave (
  id       INTEGER PRIMARY KEY,
  <<practitioner>>_id  INTEGER NOT NULL REFERENCES <<practitioner>> (id),
  from_on  TEXT    NOT NULL,
  to_on    TEXT    NOT NULL,                        -- last day away
  reason   TEXT    NOT NULL CHECK (reason IN ('holiday', 'illness', 'training')),
  CHECK (from_on <= to_on)
) STRICT;

CREATE TABLE <<room>> (
  id      INTEGER PRIMARY KEY,
  name    TEXT    NOT NULL UNIQUE,
  <<kit>>  INTEGER NOT NULL CHECK (<<kit>> IN (0, 1)),
  status  TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
  note    TEXT CHECK (note IN ('repair', 'cleaning', 'decorating', 'damage'))   -- why it is closed
) STRICT;

CREATE TABLE <<service>> (
  id       INTEGER PRIMARY KEY,
  name     TEXT    NOT NULL UNIQUE,
  role     TEXT    NOT NULL CHECK (role IN ('<<role_a>>', '<<role_b>>')),
  minutes  INTEGER NOT NULL CHECK (minutes IN (30, 60, 90)),
  fee      INTEGER NOT NULL CHECK (fee > 0),
  needs_<<kit>>  INTEGER NOT NULL CHECK (needs_<<kit>> IN (0, 1)),
  <<recall>>_months  INTEGER CHECK (<<recall>>_months > 0)
) STRICT;

CREATE TABLE <<patient>> (
  id        INTEGER PRIMARY KEY,
  name      TEXT    NOT NULL UNIQUE,
  phone     TEXT    NOT NULL UNIQUE,
  email     TEXT,
  born_on   TEXT    NOT NULL,
  <<trait>>  TEXT    NOT NULL CHECK (<<trait>> IN ('<<trait_a>>', '<<trait_b>>', '<<trait_c>>')),
  contact   TEXT    NOT NULL DEFAULT 'text' CHECK (contact IN ('text', 'email', 'letter')),
  usual_id  INTEGER REFERENCES <<practitioner>> (id),
  since     TEXT    NOT NULL,
  status    TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'left')),
  CHECK (contact <> 'email' OR email IS NOT NULL)
) STRICT;

-- part packages
-- Prepaid <<appointments>> of one <<service>>.
CREATE TABLE <<package>> (
  id          INTEGER PRIMARY KEY,
  <<patient>>_id  INTEGER NOT NULL REFERENCES <<patient>> (id),
  <<service>>_id  INTEGER NOT NULL REFERENCES <<service>> (id),
  size        INTEGER NOT NULL CHECK (size BETWEEN 3 AND 12),
  price       INTEGER NOT NULL CHECK (price > 0),
  bought_on   TEXT    NOT NULL,
  expires_on  TEXT    NOT NULL,                     -- last day of use
  extended    INTEGER NOT NULL DEFAULT 0 CHECK (extended IN (0, 1)),
  CHECK (bought_on < expires_on)
) STRICT;
-- end part

CREATE TABLE <<appointment>> (
  id            INTEGER PRIMARY KEY,
  <<patient>>_id  INTEGER NOT NULL REFERENCES <<patient>> (id),
  <<service>>_id  INTEGER NOT NULL REFERENCES <<service>> (id),
  <<practitioner>>_id  INTEGER NOT NULL REFERENCES <<practitioner>> (id),
  <<room>>_id  INTEGER NOT NULL REFERENCES <<room>> (id),
  starts_at     TEXT    NOT NULL,
  ends_at       TEXT    NOT NULL,
  fee           INTEGER NOT NULL CHECK (fee > 0),   -- agreed when it was booked
  status        TEXT    NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'arrived', 'done', 'missed', 'cancelled')),
  cancelled_by  TEXT    CHECK (cancelled_by IN ('<<patient>>', 'practice')),
  cancelled_at  TEXT,
-- part packages
  <<package>>_id  INTEGER REFERENCES <<package>> (id),   -- it pays, no fee is billed
-- end part
  booked_at     TEXT    NOT NULL,
  CHECK (starts_at < ends_at),
  CHECK ((status = 'cancelled') = (cancelled_by IS NOT NULL)),
  CHECK ((cancelled_by IS NULL) = (cancelled_at IS NULL))
) STRICT;

CREATE INDEX <<appointment>>_by_<<practitioner>> ON <<appointment>> (<<practitioner>>_id, starts_at);
CREATE INDEX <<appointment>>_by_<<room>> ON <<appointment>> (<<room>>_id, starts_at);
CREATE INDEX <<appointment>>_by_<<patient>> ON <<appointment>> (<<patient>>_id, starts_at);

CREATE TABLE waiting (
  id       INTEGER PRIMARY KEY,
  <<patient>>_id  INTEGER NOT NULL REFERENCES <<patient>> (id),
  <<service>>_id  INTEGER NOT NULL REFERENCES <<service>> (id),
  daypart  TEXT    NOT NULL DEFAULT 'any' CHECK (daypart IN ('any', 'morning', 'afternoon')),   -- when they can come; afternoon begins at 12:00
  since    TEXT    NOT NULL,
  status   TEXT    NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'booked', 'dropped')),
  <<appointment>>_id  INTEGER REFERENCES <<appointment>> (id),
  CHECK ((status = 'booked') = (<<appointment>>_id IS NOT NULL))
) STRICT;

CREATE TABLE <<invoice>> (
  id           INTEGER PRIMARY KEY,
  number       INTEGER NOT NULL UNIQUE,
  <<patient>>_id  INTEGER NOT NULL REFERENCES <<patient>> (id),
  status       TEXT    NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'open', 'paid', 'void')),
  opened_on    TEXT    NOT NULL,
  issued_on    TEXT,
  due_on       TEXT,
  discount     INTEGER NOT NULL DEFAULT 0 CHECK (discount BETWEEN 0 AND 25),    -- percent
  reminders    INTEGER NOT NULL DEFAULT 0 CHECK (reminders BETWEEN 0 AND 3),
  reminded_on  TEXT,
  CHECK ((status = 'draft') = (issued_on IS NULL)),
  CHECK ((issued_on IS NULL) = (due_on IS NULL)),
  CHECK ((reminders = 0) = (reminded_on IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_draft_a_<<patient>> ON <<invoice>> (<<patient>>_id) WHERE status = 'draft';

CREATE TABLE <<invoice>>_line (
  id       INTEGER PRIMARY KEY,
  <<invoice>>_id  INTEGER NOT NULL REFERENCES <<invoice>> (id),
  kind     TEXT    NOT NULL CHECK (kind IN ('fee', 'late', 'extra', 'prepaid')),
  text     TEXT    NOT NULL,
  amount   INTEGER NOT NULL CHECK (amount > 0),
  <<appointment>>_id  INTEGER REFERENCES <<appointment>> (id),
  CHECK ((kind IN ('fee', 'late')) = (<<appointment>>_id IS NOT NULL))
) STRICT;

CREATE INDEX line_by_<<invoice>> ON <<invoice>>_line (<<invoice>>_id);
CREATE INDEX line_by_<<appointment>> ON <<invoice>>_line (<<appointment>>_id);

CREATE TABLE payment (
  id       INTEGER PRIMARY KEY,
  <<invoice>>_id  INTEGER NOT NULL REFERENCES <<invoice>> (id),
  amount   INTEGER NOT NULL CHECK (amount > 0),
  method   TEXT    NOT NULL CHECK (method IN ('card', 'cash', 'transfer')),
  paid_on  TEXT    NOT NULL,
  refunded_on  TEXT,
  CHECK (refunded_on >= paid_on)
) STRICT;

CREATE INDEX payment_by_<<invoice>> ON payment (<<invoice>>_id);

CREATE TABLE <<recall>> (
  id      INTEGER PRIMARY KEY,
  <<patient>>_id  INTEGER NOT NULL REFERENCES <<patient>> (id),
  <<service>>_id  INTEGER NOT NULL REFERENCES <<service>> (id),
  due_on  TEXT    NOT NULL,
  status  TEXT    NOT NULL DEFAULT 'due' CHECK (status IN ('due', 'sent', 'booked', 'closed')),
  sent    INTEGER NOT NULL DEFAULT 0 CHECK (sent BETWEEN 0 AND 3),     -- how often
  last_sent_on  TEXT,
  CHECK ((sent = 0) = (last_sent_on IS NULL)),
  CHECK (status <> 'due' OR sent = 0),
  CHECK (status <> 'sent' OR sent > 0)
) STRICT;

-- part referrals
CREATE TABLE <<partner>> (
  id          INTEGER PRIMARY KEY,
  name        TEXT    NOT NULL UNIQUE,
  speciality  TEXT    NOT NULL,
  wait_days   INTEGER NOT NULL CHECK (wait_days > 0),
  accepting   INTEGER NOT NULL CHECK (accepting IN (0, 1))
) STRICT;

CREATE TABLE referral (
  id          INTEGER PRIMARY KEY,
  <<patient>>_id  INTEGER NOT NULL REFERENCES <<patient>> (id),
  <<partner>>_id  INTEGER NOT NULL REFERENCES <<partner>> (id),
  <<practitioner>>_id  INTEGER NOT NULL REFERENCES <<practitioner>> (id),
  reason      TEXT    NOT NULL CHECK (reason IN ('second opinion', 'further tests', 'surgery', 'special treatment')),
  made_on     TEXT    NOT NULL,
  status      TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'answered', 'withdrawn')),
  closed_on   TEXT,
  CHECK ((status = 'open') = (closed_on IS NULL))
) STRICT;
-- end part

-- The <<appointments>> that take up a <<practitioner>>, a <<room_w>> and a <<patient>>.
CREATE VIEW busy AS
SELECT id AS <<appointment>>_id, <<patient>>_id, <<practitioner>>_id, <<room>>_id, starts_at, ends_at
FROM <<appointment>> WHERE status IN ('booked', 'arrived', 'done');

-- What is wrong with <<an_appointment>> that is booked.
CREATE VIEW clash AS
SELECT a.id AS <<appointment>>_id, 1 AS priority, p.name || ' is a ' || p.role || '; this needs a ' || s.role || '.' AS message
FROM <<appointment>> AS a JOIN <<practitioner>> AS p ON p.id = a.<<practitioner>>_id JOIN <<service>> AS s ON s.id = a.<<service>>_id
WHERE a.status = 'booked' AND p.role <> s.role
UNION ALL
SELECT a.id, 2, 'The practice is closed on ' || date(a.starts_at) || ', or the book is not open for that day yet.'
FROM <<appointment>> AS a
WHERE a.status = 'booked' AND NOT EXISTS (SELECT 1 FROM calendar AS c WHERE c.on_date = date(a.starts_at) AND c.holiday IS NULL)
UNION ALL
SELECT a.id, 3, p.name || ' does not work at that time.'
FROM <<appointment>> AS a JOIN <<practitioner>> AS p ON p.id = a.<<practitioner>>_id
WHERE a.status = 'booked' AND NOT EXISTS (SELECT 1 FROM hours AS h WHERE h.<<practitioner>>_id = a.<<practitioner>>_id
  AND h.weekday = CAST(strftime('%w', a.starts_at) AS INTEGER) AND h.from_time <= strftime('%H:%M', a.starts_at) AND h.to_time >= strftime('%H:%M', a.ends_at))
UNION ALL
SELECT a.id, 4, p.name || ' is on leave on ' || date(a.starts_at) || '.'
FROM <<appointment>> AS a JOIN <<practitioner>> AS p ON p.id = a.<<practitioner>>_id
WHERE a.status = 'booked' AND EXISTS (SELECT 1 FROM leave AS l WHERE l.<<practitioner>>_id = a.<<practitioner>>_id AND date(a.starts_at) BETWEEN l.from_on AND l.to_on)
UNION ALL
SELECT a.id, 5, 'The <<practitioner>> has <<appointment>> ' || b.<<appointment>>_id || ' at that time.'
FROM <<appointment>> AS a JOIN busy AS b ON b.<<practitioner>>_id = a.<<practitioner>>_id AND b.starts_at < a.ends_at AND b.ends_at > a.starts_at
WHERE a.status = 'booked' AND b.<<appointment>>_id <> a.id
UNION ALL
SELECT a.id, 6, 'The <<patient>> has <<appointment>> ' || b.<<appointment>>_id || ' at that time.'
FROM <<appointment>> AS a JOIN busy AS b ON b.<<patient>>_id = a.<<patient>>_id AND b.starts_at < a.ends_at AND b.ends_at > a.starts_at
WHERE a.status = 'booked' AND b.<<appointment>>_id <> a.id
UNION ALL
SELECT a.id, 7, CASE WHEN r.status = 'closed' THEN r.name || ' is closed.' ELSE r.name || ' lacks <<kit_w>>, which is needed.' END
FROM <<appointment>> AS a JOIN <<room>> AS r ON r.id = a.<<room>>_id JOIN <<service>> AS s ON s.id = a.<<service>>_id
WHERE a.status = 'booked' AND (r.status = 'closed' OR r.<<kit>> < s.needs_<<kit>>)
UNION ALL
SELECT a.id, 8, 'No suitable <<room_w>> is free: <<appointment>> ' || b.<<appointment>>_id || ' is in the way.'
FROM <<appointment>> AS a JOIN busy AS b ON b.<<room>>_id = a.<<room>>_id AND b.starts_at < a.ends_at AND b.ends_at > a.starts_at
WHERE a.status = 'booked' AND b.<<appointment>>_id <> a.id
-- part packages
UNION ALL
SELECT a.id, 9, 'The <<package_w>> that pays for it expires on ' || k.expires_on || ', or is used up.'
FROM <<appointment>> AS a JOIN <<package>>_use AS k ON k.<<package>>_id = a.<<package>>_id
WHERE a.status = 'booked' AND (date(a.starts_at) > k.expires_on OR k.remaining < 0)
-- end part
;

-- The times at which <<an_appointment>> could be booked with a <<practitioner>>, were it for <<rooms_w>> (see free_slot).
CREATE VIEW open_slot AS
SELECT s.id AS <<service>>_id, s.needs_<<kit>> AS needs_<<kit>>, h.<<practitioner>>_id AS <<practitioner>>_id, c.on_date AS on_date,
  CASE WHEN t.at < '12' THEN 'morning' ELSE 'afternoon' END AS daypart,
  c.on_date || 'T' || t.at || ':00' AS starts_at, c.on_date || 'T' || time(t.at, '+' || s.minutes || ' minutes') AS ends_at
FROM <<service>> AS s JOIN <<practitioner>> AS p ON p.role = s.role JOIN hours AS h ON h.<<practitioner>>_id = p.id
  JOIN calendar AS c ON c.weekday = h.weekday AND c.holiday IS NULL
  JOIN start_time AS t ON t.at >= h.from_time AND time(t.at, '+' || s.minutes || ' minutes') <= h.to_time || ':00';

CREATE VIEW free_slot AS
SELECT o.*
FROM open_slot AS o
WHERE NOT EXISTS (SELECT 1 FROM leave AS l WHERE l.<<practitioner>>_id = o.<<practitioner>>_id AND o.on_date BETWEEN l.from_on AND l.to_on)
  AND NOT EXISTS (SELECT 1 FROM busy AS b WHERE b.<<practitioner>>_id = o.<<practitioner>>_id AND b.starts_at < o.ends_at AND b.ends_at > o.starts_at)
  AND EXISTS (SELECT 1 FROM <<room>> AS r WHERE r.status = 'open' AND r.<<kit>> >= o.needs_<<kit>>
    AND NOT EXISTS (SELECT 1 FROM busy AS b WHERE b.<<room>>_id = r.id AND b.starts_at < o.ends_at AND b.ends_at > o.starts_at));

-- What <<an_invoice>> comes to; only an open one owes.
CREATE VIEW <<invoice>>_total AS
SELECT i.*, CASE WHEN i.status = 'open' THEN i.total - i.paid ELSE 0 END AS owed
FROM (
  SELECT j.*, j.gross - j.gross * j.discount / 100 AS total
  FROM (
    SELECT k.id AS <<invoice>>_id, k.<<patient>>_id AS <<patient>>_id, k.status AS status, k.due_on AS due_on, k.discount AS discount,
      (SELECT coalesce(sum(amount), 0) FROM <<invoice>>_line AS l WHERE l.<<invoice>>_id = k.id) AS gross,
      (SELECT coalesce(sum(amount), 0) FROM payment AS y WHERE y.<<invoice>>_id = k.id AND y.refunded_on IS NULL) AS paid
    FROM <<invoice>> AS k
  ) AS j
) AS i;

-- The <<appointments>> that are paid for in advance.
CREATE VIEW prepaid AS
SELECT id AS <<appointment>>_id, NULL AS paid_by FROM <<appointment>> WHERE 0 = 1
-- part packages
UNION ALL SELECT id, <<package>>_id FROM <<appointment>> WHERE <<package>>_id IS NOT NULL
-- end part
;
-- part packages

-- How much of a <<package_w>> is used or reserved.
CREATE VIEW <<package>>_use AS
SELECT k.id AS <<package>>_id, k.<<patient>>_id AS <<patient>>_id, k.<<service>>_id AS <<service>>_id, k.expires_on AS expires_on,
  (SELECT count(*) FROM <<appointment>> AS a WHERE a.<<package>>_id = k.id AND a.status <> 'cancelled') AS used,
  k.size - (SELECT count(*) FROM <<appointment>> AS a WHERE a.<<package>>_id = k.id AND a.status <> 'cancelled') AS remaining
FROM <<package>> AS k;
-- end part
