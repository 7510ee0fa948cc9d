CREATE TABLE staff (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('reception', '<<crew>>', 'maintenance'))
) STRICT;

CREATE TABLE <<guest>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL UNIQUE,
  town TEXT NOT NULL,
  standing TEXT NOT NULL DEFAULT 'regular' CHECK (standing IN ('regular', 'member', 'barred'))
) STRICT;

CREATE TABLE <<unit>>_type (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  grade INTEGER NOT NULL UNIQUE CHECK (grade > 0),
  <<capacity>> INTEGER NOT NULL CHECK (<<capacity>> > 0)
) STRICT;

CREATE TABLE season (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  starts_on TEXT NOT NULL,
  ends_on TEXT NOT NULL,
  CHECK (starts_on <= ends_on)
) STRICT;

CREATE TABLE rate (
  id INTEGER PRIMARY KEY,
  <<unit>>_type_id INTEGER NOT NULL REFERENCES <<unit>>_type (id),
  season_id INTEGER NOT NULL REFERENCES season (id),
  night_price INTEGER NOT NULL CHECK (night_price > 0),
  UNIQUE (<<unit>>_type_id, season_id)
) STRICT;

CREATE TABLE <<unit>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  <<unit>>_type_id INTEGER NOT NULL REFERENCES <<unit>>_type (id),
  <<zone>> TEXT NOT NULL,
  <<size>> INTEGER NOT NULL CHECK (<<size>> > 0),
  supplement INTEGER NOT NULL CHECK (supplement >= 0)
) STRICT;

CREATE TABLE feature (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE <<unit>>_feature (
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  feature_id INTEGER NOT NULL REFERENCES feature (id),
  PRIMARY KEY (<<unit>>_id, feature_id)
) STRICT;

CREATE TABLE closure (
  id INTEGER PRIMARY KEY,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  starts_on TEXT NOT NULL,
  ends_on TEXT NOT NULL,
  reason TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'lifted')),
  CHECK (starts_on <= ends_on)
) STRICT;

CREATE TABLE terms (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  free_days INTEGER NOT NULL CHECK (free_days >= 0),
  fee_percent INTEGER NOT NULL CHECK (fee_percent BETWEEN 0 AND 100),
  deposit_percent INTEGER NOT NULL CHECK (deposit_percent BETWEEN 0 AND 100)
) STRICT;

-- part groups
CREATE TABLE <<group>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  <<guest>>_id INTEGER NOT NULL REFERENCES <<guest>> (id),
  starts_on TEXT NOT NULL,
  ends_on TEXT NOT NULL,
  places INTEGER NOT NULL CHECK (places > 0),
  CHECK (starts_on < ends_on)
) STRICT;
-- end part

CREATE TABLE reservation (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  <<guest>>_id INTEGER NOT NULL REFERENCES <<guest>> (id),
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  terms_id INTEGER NOT NULL REFERENCES terms (id),
-- part groups
  <<group>>_id INTEGER REFERENCES <<group>> (id),
-- end part
  arrive_on TEXT NOT NULL,
  leave_on TEXT NOT NULL,
  <<party>> INTEGER NOT NULL CHECK (<<party>> > 0),
  status TEXT NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'checked_in', 'checked_out', 'cancelled', 'no_show')),
  stay_price INTEGER NOT NULL CHECK (stay_price >= 0),
  deposit INTEGER NOT NULL CHECK (deposit >= 0),
  late_checkout INTEGER NOT NULL DEFAULT 0 CHECK (late_checkout IN (0, 1)),
  booked_on TEXT NOT NULL,
  cancelled_on TEXT,
  CHECK (arrive_on < leave_on),
  CHECK ((status = 'cancelled') = (cancelled_on IS NOT NULL))
) STRICT;

CREATE TABLE extra (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  plural TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'extra' CHECK (kind IN ('extra', 'late')),
  price INTEGER NOT NULL CHECK (price > 0),
  daily_stock INTEGER CHECK (daily_stock > 0)
) STRICT;

CREATE TABLE charge (
  id INTEGER PRIMARY KEY,
  reservation_id INTEGER NOT NULL REFERENCES reservation (id),
  extra_id INTEGER REFERENCES extra (id),
  kind TEXT NOT NULL CHECK (kind IN ('extra', 'late', 'fee')),
  item TEXT NOT NULL,
  on_date TEXT NOT NULL,
  quantity INTEGER NOT NULL DEFAULT 1 CHECK (quantity > 0),
  unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'void')),
  CHECK ((kind = 'fee') = (extra_id IS NULL))
) STRICT;

CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  reservation_id INTEGER NOT NULL REFERENCES reservation (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  method TEXT NOT NULL CHECK (method IN ('card', 'cash', 'transfer')),
  paid_at TEXT NOT NULL,
  staff_id INTEGER NOT NULL REFERENCES staff (id)
) STRICT;

CREATE TABLE refund (
  id INTEGER PRIMARY KEY,
  payment_id INTEGER NOT NULL REFERENCES payment (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  refunded_at TEXT NOT NULL,
  staff_id INTEGER NOT NULL REFERENCES staff (id)
) STRICT;

CREATE TABLE task (
  id INTEGER PRIMARY KEY,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  kind TEXT NOT NULL CHECK (kind IN ('<<job_a>>', '<<job_b>>', 'repair')),
  due_on TEXT NOT NULL,
  staff_id INTEGER REFERENCES staff (id),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done')),
  done_on TEXT,
  CHECK ((status = 'done') = (done_on IS NOT NULL))
) STRICT;

CREATE TABLE waiting (
  id INTEGER PRIMARY KEY,
  <<guest>>_id INTEGER NOT NULL REFERENCES <<guest>> (id),
  <<unit>>_type_id INTEGER NOT NULL REFERENCES <<unit>>_type (id),
  arrive_on TEXT NOT NULL,
  leave_on TEXT NOT NULL,
  <<party>> INTEGER NOT NULL CHECK (<<party>> > 0),
  since_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'served', 'dropped')),
  reservation_id INTEGER REFERENCES reservation (id),
  CHECK (arrive_on < leave_on),
  CHECK ((status = 'served') = (reservation_id IS NOT NULL))
) STRICT;

-- part lost
CREATE TABLE lost_item (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  found_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'kept' CHECK (status IN ('kept', 'returned', 'disposed')),
  <<guest>>_id INTEGER REFERENCES <<guest>> (id),
  closed_on TEXT,
  CHECK ((status = 'returned') = (<<guest>>_id IS NOT NULL)),
  CHECK ((status = 'kept') = (closed_on IS NULL))
) STRICT;
-- end part

CREATE INDEX charge_of ON charge (reservation_id);
CREATE INDEX payment_of ON payment (reservation_id);
CREATE INDEX reservation_in ON reservation (<<unit>>_id);
CREATE INDEX task_in ON task (<<unit>>_id);

-- What a reservation costs, what was paid, and what is left; cancelled ones and no-shows owe their charges only.
CREATE VIEW folio AS
SELECT reservation_id, stay, charges, paid, stay + charges - paid AS balance
FROM (
  SELECT r.id AS reservation_id,
    CASE WHEN r.status IN ('cancelled', 'no_show') THEN 0 ELSE r.stay_price END AS stay,
    (SELECT coalesce(sum(c.quantity * c.unit_price), 0) FROM charge AS c WHERE c.reservation_id = r.id AND c.status = 'open') AS charges,
    (SELECT coalesce(sum(p.amount), 0) FROM payment AS p WHERE p.reservation_id = r.id)
      - (SELECT coalesce(sum(b.amount), 0) FROM refund AS b JOIN payment AS p ON p.id = b.payment_id WHERE p.reservation_id = r.id) AS paid
  FROM reservation AS r
);

-- When a <<unit>> cannot be had: from the first night to the morning after the last.
CREATE VIEW busy AS
SELECT <<unit>>_id, arrive_on AS from_on, leave_on AS until_on, id AS reservation_id, NULL AS closure_id
FROM reservation WHERE status IN ('booked', 'checked_in')
UNION ALL
SELECT <<unit>>_id, starts_on, date(ends_on, '+1 day'), NULL, id
FROM closure WHERE status = 'active';

-- What a night in each <<unit>> costs in each season.
CREATE VIEW tariff AS
SELECT u.id AS <<unit>>_id, u.<<unit>>_type_id, s.id AS season_id, s.starts_on, date(s.ends_on, '+1 day') AS until_on, rate.night_price + u.supplement AS price
FROM <<unit>> AS u JOIN rate ON rate.<<unit>>_type_id = u.<<unit>>_type_id JOIN season AS s ON s.id = rate.season_id;

-- What can be said of a <<unit>> today.
CREATE VIEW today AS
SELECT id AS <<unit>>_id,
  NOT EXISTS (SELECT 1 FROM task WHERE task.<<unit>>_id = u.id AND kind = '<<job_a>>' AND status = 'open' AND due_on <= date(now()))
    AND NOT EXISTS (SELECT 1 FROM reservation AS r WHERE r.<<unit>>_id = u.id AND r.status = 'checked_in') AS ready,
  EXISTS (SELECT 1 FROM reservation AS r WHERE r.<<unit>>_id = u.id AND r.status = 'checked_in') AS occupied,
  EXISTS (SELECT 1 FROM closure AS c WHERE c.<<unit>>_id = u.id AND c.status = 'active' AND date(now()) BETWEEN c.starts_on AND c.ends_on) AS closed
FROM <<unit>> AS u;
