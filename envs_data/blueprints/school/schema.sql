CREATE TABLE weekday (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE staff (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('desk', 'manager'))
) STRICT;

CREATE TABLE <<subject>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  lesson_fee INTEGER NOT NULL CHECK (lesson_fee > 0)
) STRICT;

CREATE TABLE <<teacher>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL,
  hourly_pay INTEGER NOT NULL UNIQUE CHECK (hourly_pay > 0)
) STRICT;

CREATE TABLE skill (
  <<teacher>>_id INTEGER NOT NULL REFERENCES <<teacher>> (id),
  <<subject>>_id INTEGER NOT NULL REFERENCES <<subject>> (id),
  top_level INTEGER NOT NULL CHECK (top_level BETWEEN 1 AND 3),
  PRIMARY KEY (<<teacher>>_id, <<subject>>_id)
) STRICT;

CREATE TABLE hours (
  id INTEGER PRIMARY KEY,
  <<teacher>>_id INTEGER NOT NULL REFERENCES <<teacher>> (id),
  weekday TEXT NOT NULL REFERENCES weekday (name),
  starts TEXT NOT NULL,
  ends TEXT NOT NULL,
  UNIQUE (<<teacher>>_id, weekday),
  CHECK (starts < ends)
) STRICT;

CREATE TABLE leave (
  id INTEGER PRIMARY KEY,
  <<teacher>>_id INTEGER NOT NULL REFERENCES <<teacher>> (id),
  from_on TEXT NOT NULL,
  to_on TEXT NOT NULL,
  reason TEXT NOT NULL,
  CHECK (from_on <= to_on)
) STRICT;

CREATE TABLE closure (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  from_on TEXT NOT NULL,
  to_on TEXT NOT NULL,
  CHECK (from_on <= to_on)
) STRICT;

CREATE TABLE <<room>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  seats INTEGER NOT NULL UNIQUE CHECK (seats > 0)
) STRICT;

CREATE TABLE <<unit>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'repair'))
) STRICT;

CREATE TABLE course (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL UNIQUE,
  <<subject>>_id INTEGER NOT NULL REFERENCES <<subject>> (id),
  level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),
  fee INTEGER NOT NULL CHECK (fee > 0),
  UNIQUE (<<subject>>_id, level)
) STRICT;

CREATE TABLE <<class>> (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  course_id INTEGER NOT NULL REFERENCES course (id),
  <<teacher>>_id INTEGER NOT NULL REFERENCES <<teacher>> (id),
  <<room>>_id INTEGER NOT NULL REFERENCES <<room>> (id),
  weekday TEXT NOT NULL REFERENCES weekday (name),
  starts TEXT NOT NULL,
  ends TEXT NOT NULL,
  capacity INTEGER NOT NULL CHECK (capacity > 0),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'finished', 'cancelled')),
  CHECK (starts < ends)
) STRICT;

CREATE TABLE session (
  id INTEGER PRIMARY KEY,
  <<class>>_id INTEGER NOT NULL REFERENCES <<class>> (id),
  on_date TEXT NOT NULL,
  <<teacher>>_id INTEGER NOT NULL REFERENCES <<teacher>> (id),
  status TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'held', 'cancelled')),
  reason TEXT,
  UNIQUE (<<class>>_id, on_date)
) STRICT;

CREATE INDEX session_by_<<teacher>> ON session (<<teacher>>_id, status);

CREATE TABLE <<payer>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL,
  email TEXT NOT NULL
) STRICT;

CREATE TABLE <<student>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  <<payer>>_id INTEGER NOT NULL REFERENCES <<payer>> (id),
  born_on TEXT NOT NULL
) STRICT;

CREATE TABLE standing (
  <<student>>_id INTEGER NOT NULL REFERENCES <<student>> (id),
  <<subject>>_id INTEGER NOT NULL REFERENCES <<subject>> (id),
  level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),
  reached_on TEXT NOT NULL,
  PRIMARY KEY (<<student>>_id, <<subject>>_id)
) STRICT;

CREATE TABLE enrolment (
  id INTEGER PRIMARY KEY,
  <<student>>_id INTEGER NOT NULL REFERENCES <<student>> (id),
  <<class>>_id INTEGER NOT NULL REFERENCES <<class>> (id),
  status TEXT NOT NULL CHECK (status IN ('active', 'waiting', 'withdrawn', 'completed')),
  since TEXT NOT NULL,
  ended_on TEXT,
  reason TEXT
) STRICT;
CREATE INDEX enrolment_by_<<class>> ON enrolment (<<class>>_id, status);
CREATE INDEX enrolment_by_<<student>> ON enrolment (<<student>>_id, status);
CREATE UNIQUE INDEX enrolment_once ON enrolment (<<student>>_id, <<class>>_id) WHERE status IN ('active', 'waiting');

CREATE TABLE attendance (
  id INTEGER PRIMARY KEY,
  session_id INTEGER NOT NULL REFERENCES session (id),
  <<student>>_id INTEGER NOT NULL REFERENCES <<student>> (id),
  mark TEXT NOT NULL CHECK (mark IN ('present', 'absent', 'excused')),
  UNIQUE (session_id, <<student>>_id)
) STRICT;

CREATE TABLE makeup (
  id INTEGER PRIMARY KEY,
  attendance_id INTEGER NOT NULL REFERENCES attendance (id),
  session_id INTEGER NOT NULL REFERENCES session (id),
  status TEXT NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'cancelled'))
) STRICT;
CREATE INDEX makeup_by_session ON makeup (session_id);
CREATE UNIQUE INDEX makeup_once ON makeup (attendance_id) WHERE status = 'booked';

CREATE TABLE exam (
  id INTEGER PRIMARY KEY,
  course_id INTEGER NOT NULL REFERENCES course (id),
  on_date TEXT NOT NULL,
  <<room>>_id INTEGER NOT NULL REFERENCES <<room>> (id),
  seats INTEGER NOT NULL CHECK (seats > 0),
  fee INTEGER NOT NULL CHECK (fee > 0),
  enter_by TEXT NOT NULL,
  UNIQUE (course_id, on_date),
  CHECK (enter_by < on_date)
) STRICT;

CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  exam_id INTEGER NOT NULL REFERENCES exam (id),
  <<student>>_id INTEGER NOT NULL REFERENCES <<student>> (id),
  status TEXT NOT NULL DEFAULT 'entered' CHECK (status IN ('entered', 'withdrawn', 'passed', 'failed')),
  score INTEGER CHECK (score BETWEEN 0 AND 100)
) STRICT;
CREATE UNIQUE INDEX entry_once ON entry (exam_id, <<student>>_id) WHERE status <> 'withdrawn';

CREATE TABLE invoice (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  <<payer>>_id INTEGER NOT NULL REFERENCES <<payer>> (id),
  <<student>>_id INTEGER NOT NULL REFERENCES <<student>> (id),
  what_for TEXT NOT NULL,
  enrolment_id INTEGER REFERENCES enrolment (id),
  issued_on TEXT NOT NULL,
  fee INTEGER NOT NULL CHECK (fee > 0),
  discount INTEGER NOT NULL DEFAULT 0 CHECK (discount BETWEEN 0 AND 25),
  status TEXT NOT NULL DEFAULT 'issued' CHECK (status IN ('issued', 'void'))
) STRICT;

CREATE INDEX invoice_by_<<payer>> ON invoice (<<payer>>_id);

CREATE TABLE instalment (
  id INTEGER PRIMARY KEY,
  invoice_id INTEGER NOT NULL REFERENCES invoice (id),
  part INTEGER NOT NULL CHECK (part BETWEEN 1 AND 4),
  due_on TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  paid_on TEXT,
  method TEXT CHECK (method IN ('card', 'cash', 'transfer')),
  taken_by INTEGER REFERENCES staff (id),
  UNIQUE (invoice_id, part)
) STRICT;

CREATE TABLE lesson (
  id INTEGER PRIMARY KEY,
  <<student>>_id INTEGER NOT NULL REFERENCES <<student>> (id),
  <<teacher>>_id INTEGER NOT NULL REFERENCES <<teacher>> (id),
  <<subject>>_id INTEGER NOT NULL REFERENCES <<subject>> (id),
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  fee INTEGER NOT NULL CHECK (fee > 0),
  status TEXT NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'done', 'missed', 'cancelled')),
  invoice_id INTEGER REFERENCES invoice (id),
  CHECK (starts_at < ends_at)
) STRICT;
CREATE INDEX lesson_by_<<teacher>> ON lesson (<<teacher>>_id, status, starts_at);
CREATE INDEX lesson_by_<<student>> ON lesson (<<student>>_id, status, starts_at);
CREATE INDEX lesson_by_<<unit>> ON lesson (<<unit>>_id, status, starts_at);

-- part hires
CREATE TABLE <<item>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  weekly_fee INTEGER NOT NULL CHECK (weekly_fee > 0),
  status TEXT NOT NULL DEFAULT 'in' CHECK (status IN ('in', 'out', 'repair'))
) STRICT;

CREATE TABLE hire (
  id INTEGER PRIMARY KEY,
  <<item>>_id INTEGER NOT NULL REFERENCES <<item>> (id),
  <<student>>_id INTEGER NOT NULL REFERENCES <<student>> (id),
  from_on TEXT NOT NULL,
  due_on TEXT NOT NULL,
  returned_on TEXT,
  CHECK (from_on < due_on)
) STRICT;
-- end part

CREATE VIEW <<class>>_load AS
SELECT c.id AS <<class>>_id,
  (SELECT count(*) FROM enrolment AS e WHERE e.<<class>>_id = c.id AND e.status = 'active') AS active,
  (SELECT count(*) FROM enrolment AS e WHERE e.<<class>>_id = c.id AND e.status = 'waiting') AS waiting
FROM <<class>> AS c;

CREATE VIEW session_load AS
SELECT s.id AS session_id,
  (SELECT count(*) FROM enrolment AS e WHERE e.<<class>>_id = s.<<class>>_id AND e.status = 'active') AS members,
  (SELECT count(*) FROM makeup AS m WHERE m.session_id = s.id AND m.status = 'booked') AS guests
FROM session AS s;

CREATE VIEW busy AS
SELECT s.<<teacher>>_id, s.id AS session_id, NULL AS lesson_id, s.on_date || 'T' || c.starts || ':00' AS starts_at, s.on_date || 'T' || c.ends || ':00' AS ends_at
FROM session AS s JOIN <<class>> AS c ON c.id = s.<<class>>_id WHERE s.status = 'planned'
UNION ALL
SELECT l.<<teacher>>_id, NULL, l.id, l.starts_at, l.ends_at FROM lesson AS l WHERE l.status = 'booked';

CREATE VIEW cover AS
SELECT s.id AS session_id, t.id AS <<teacher>>_id, t.name, t.hourly_pay,
  EXISTS (SELECT 1 FROM skill AS k WHERE k.<<teacher>>_id = t.id AND k.<<subject>>_id = o.<<subject>>_id AND k.top_level >= o.level) AS is_able,
  EXISTS (SELECT 1 FROM hours AS h WHERE h.<<teacher>>_id = t.id AND h.weekday = c.weekday AND h.starts <= c.starts AND h.ends >= c.ends) AS works_then,
  EXISTS (SELECT 1 FROM leave AS a WHERE a.<<teacher>>_id = t.id AND s.on_date BETWEEN a.from_on AND a.to_on) AS is_away,
  EXISTS (SELECT 1 FROM busy AS b WHERE b.<<teacher>>_id = t.id AND b.session_id IS NOT s.id
    AND b.starts_at < s.on_date || 'T' || c.ends || ':00' AND b.ends_at > s.on_date || 'T' || c.starts || ':00') AS is_busy
FROM session AS s JOIN <<class>> AS c ON c.id = s.<<class>>_id JOIN course AS o ON o.id = c.course_id JOIN <<teacher>> AS t ON TRUE
WHERE s.status = 'planned';

CREATE VIEW invoice_sum AS
SELECT i.id AS invoice_id, i.<<payer>>_id, i.<<student>>_id, i.status, i.fee * (100 - i.discount) / 100 AS total,
  (SELECT count(*) FROM instalment AS p WHERE p.invoice_id = i.id) AS parts,
  (SELECT coalesce(sum(p.amount), 0) FROM instalment AS p WHERE p.invoice_id = i.id AND p.paid_on IS NOT NULL) AS paid,
  (SELECT coalesce(sum(p.amount), 0) FROM instalment AS p WHERE p.invoice_id = i.id AND p.paid_on IS NULL) AS owed,
  (SELECT coalesce(sum(p.amount), 0) FROM instalment AS p WHERE p.invoice_id = i.id AND p.paid_on IS NULL AND p.due_on < date(now())) AS overdue,
  (SELECT min(p.due_on) FROM instalment AS p WHERE p.invoice_id = i.id AND p.paid_on IS NULL) AS next_due_on
FROM invoice AS i;

CREATE VIEW candidate AS
SELECT s.id AS <<student>>_id, c.id AS <<class>>_id, s.<<payer>>_id, c.course_id,
  (SELECT count(*) FROM enrolment AS e WHERE e.<<class>>_id = c.id AND e.status = 'active') >= c.capacity AS is_full,
  EXISTS (SELECT 1 FROM enrolment AS e WHERE e.<<class>>_id = c.id AND e.<<student>>_id = s.id AND e.status IN ('active', 'waiting')) AS is_listed,
  o.level > 1 + coalesce((SELECT g.level FROM standing AS g WHERE g.<<student>>_id = s.id AND g.<<subject>>_id = o.<<subject>>_id), 0) AS is_too_hard,
  EXISTS (SELECT 1 FROM enrolment AS e JOIN <<class>> AS x ON x.id = e.<<class>>_id WHERE e.<<student>>_id = s.id AND e.status = 'active' AND x.id <> c.id
    AND x.weekday = c.weekday AND x.starts < c.ends AND x.ends > c.starts) AS has_clash,
  EXISTS (SELECT 1 FROM enrolment AS e JOIN <<class>> AS x ON x.id = e.<<class>>_id WHERE e.<<student>>_id = s.id AND e.status = 'active' AND x.id <> c.id
    AND x.course_id = c.course_id) AS has_parallel,
  EXISTS (SELECT 1 FROM invoice AS i JOIN instalment AS p ON p.invoice_id = i.id WHERE i.<<payer>>_id = s.<<payer>>_id AND p.paid_on IS NULL
    AND p.due_on < date(now(), '-30 days')) AS is_stopped
FROM <<student>> AS s JOIN <<class>> AS c ON c.status = 'open' JOIN course AS o ON o.id = c.course_id;
