CREATE TABLE clerk (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL CHECK (role IN ('counter', 'manager'))) STRICT;

CREATE TABLE trade (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE <<mechanic>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  max_minutes INTEGER NOT NULL CHECK (max_minutes > 0),
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'away'))
) STRICT;

CREATE TABLE skill (
  <<mechanic>>_id INTEGER NOT NULL REFERENCES <<mechanic>> (id),
  trade_id INTEGER NOT NULL REFERENCES trade (id),
  PRIMARY KEY (<<mechanic>>_id, trade_id)
) STRICT;

CREATE TABLE <<bench>> (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  max_<<size>> INTEGER NOT NULL UNIQUE CHECK (max_<<size>> > 0),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed'))
) STRICT;

CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  town TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'hold'))
) STRICT;

CREATE TABLE <<thing>> (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  serial TEXT NOT NULL UNIQUE,
  <<size>> INTEGER NOT NULL CHECK (<<size>> > 0)
) STRICT;

CREATE TABLE service (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  trade_id INTEGER NOT NULL REFERENCES trade (id),
  minutes INTEGER NOT NULL CHECK (minutes > 0),
  price_cents INTEGER NOT NULL CHECK (price_cents > 0)
) STRICT;

CREATE TABLE supplier (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  town TEXT NOT NULL,
  lead_days INTEGER NOT NULL CHECK (lead_days > 0)
) STRICT;

CREATE TABLE part (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  supplier_id INTEGER NOT NULL REFERENCES supplier (id),
  cost_cents INTEGER NOT NULL CHECK (cost_cents > 0),
  price_cents INTEGER NOT NULL CHECK (price_cents > 0),
  stock INTEGER NOT NULL CHECK (stock >= 0),
  reorder_level INTEGER NOT NULL CHECK (reorder_level >= 0)
) STRICT;

CREATE TABLE part_order (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  part_id INTEGER NOT NULL REFERENCES part (id),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'arrived', 'cancelled')),
  ordered_on TEXT NOT NULL,
  expected_on TEXT NOT NULL,
  arrived_on TEXT,
  CHECK ((status = 'arrived') = (arrived_on IS NOT NULL))
) STRICT;

CREATE TABLE <<job>> (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  <<thing>>_id INTEGER NOT NULL REFERENCES <<thing>> (id),
  fault TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'quoted' CHECK (status IN ('quoted', 'approved', 'working', 'ready', 'collected', 'declined')),
  <<mechanic>>_id INTEGER REFERENCES <<mechanic>> (id),
  <<bench>>_id INTEGER REFERENCES <<bench>> (id),
  brought_on TEXT NOT NULL,
  promised_on TEXT NOT NULL,
  approved_cents INTEGER CHECK (approved_cents >= 0),
  ready_on TEXT,
  ended_on TEXT,
  storage_taken_cents INTEGER NOT NULL DEFAULT 0 CHECK (storage_taken_cents >= 0),
  storage_waived INTEGER NOT NULL DEFAULT 0 CHECK (storage_waived IN (0, 1)),
  redo INTEGER NOT NULL DEFAULT 0 CHECK (redo IN (0, 1)),
  CHECK ((status IN ('quoted', 'declined')) = (approved_cents IS NULL)),
  CHECK ((status = 'working') = (<<bench>>_id IS NOT NULL)),
  CHECK (status NOT IN ('quoted', 'declined') OR <<mechanic>>_id IS NULL),
  CHECK (status NOT IN ('working', 'ready', 'collected') OR <<mechanic>>_id IS NOT NULL),
  CHECK ((status IN ('ready', 'collected')) = (ready_on IS NOT NULL)),
  CHECK ((status IN ('collected', 'declined')) = (ended_on IS NOT NULL)),
  CHECK (storage_taken_cents = 0 OR status = 'collected')
) STRICT;

CREATE TABLE work_line (
  id INTEGER PRIMARY KEY,
  <<job>>_id INTEGER NOT NULL REFERENCES <<job>> (id),
  service_id INTEGER REFERENCES service (id),
  part_id INTEGER REFERENCES part (id),
  quantity INTEGER NOT NULL DEFAULT 1 CHECK (quantity > 0),
  unit_cents INTEGER NOT NULL CHECK (unit_cents >= 0),
  CHECK ((service_id IS NULL) <> (part_id IS NULL)),
  CHECK (service_id IS NULL OR quantity = 1),
  UNIQUE (<<job>>_id, service_id),
  UNIQUE (<<job>>_id, part_id)
) STRICT;

CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  <<job>>_id INTEGER NOT NULL REFERENCES <<job>> (id),
  kind TEXT NOT NULL CHECK (kind IN ('deposit', 'payment', 'refund')),
  cents INTEGER NOT NULL CHECK (cents > 0),
  method TEXT NOT NULL CHECK (method IN ('card', 'cash', 'transfer')),
  paid_on TEXT NOT NULL,
  clerk_id INTEGER NOT NULL REFERENCES clerk (id),
  struck INTEGER NOT NULL DEFAULT 0 CHECK (struck IN (0, 1))
) STRICT;

CREATE TABLE complaint (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  <<job>>_id INTEGER NOT NULL REFERENCES <<job>> (id),
  words TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'rejected')),
  raised_on TEXT NOT NULL,
  settled_on TEXT,
  reason TEXT,
  redo_<<job>>_id INTEGER UNIQUE REFERENCES <<job>> (id),
  CHECK ((status = 'accepted') = (redo_<<job>>_id IS NOT NULL)),
  CHECK ((status = 'open') = (settled_on IS NULL)),
  CHECK ((status = 'rejected') = (reason IS NOT NULL))
) STRICT;

CREATE TABLE <<loaner>> (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  deposit_cents INTEGER NOT NULL UNIQUE CHECK (deposit_cents > 0)
) STRICT;

CREATE TABLE loan (
  id INTEGER PRIMARY KEY,
  <<loaner>>_id INTEGER NOT NULL REFERENCES <<loaner>> (id),
  <<job>>_id INTEGER NOT NULL REFERENCES <<job>> (id),
  lent_on TEXT NOT NULL,
  due_on TEXT NOT NULL,
  back_on TEXT
) STRICT;

-- part reminders
CREATE TABLE reminder (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  <<thing>>_id INTEGER NOT NULL REFERENCES <<thing>> (id),
  due_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'sent', 'dropped')),
  sent_on TEXT,
  CHECK ((status = 'sent') = (sent_on IS NOT NULL))
) STRICT;
-- end part

CREATE INDEX <<job>>_thing ON <<job>> (<<thing>>_id);
CREATE INDEX work_line_job ON work_line (<<job>>_id);
CREATE INDEX payment_job ON payment (<<job>>_id);
CREATE INDEX thing_customer ON <<thing>> (customer_id);

CREATE VIEW <<job>>_sum AS
SELECT s.<<job>>_id, s.line_count, s.minutes, s.labour_cents, s.parts_cents, s.labour_cents + s.parts_cents AS total_cents,
  CASE WHEN s.parts_cents > <<threshold>> THEN s.parts_cents / 2 ELSE 0 END AS deposit_cents, s.paid_cents, s.storage_cents,
  CASE WHEN s.status = 'declined' THEN 0 ELSE s.labour_cents + s.parts_cents END + s.storage_cents - s.paid_cents AS owed_cents,
  s.short > 0 AS waiting, s.status IN ('quoted', 'approved', 'working', 'ready') AS is_open
FROM (
  SELECT j.id AS <<job>>_id, j.status,
    (SELECT count(*) FROM work_line AS l WHERE l.<<job>>_id = j.id) AS line_count,
    (SELECT coalesce(sum(v.minutes), 0) FROM work_line AS l JOIN service AS v ON v.id = l.service_id WHERE l.<<job>>_id = j.id) AS minutes,
    (SELECT coalesce(sum(l.unit_cents), 0) FROM work_line AS l WHERE l.<<job>>_id = j.id AND l.service_id IS NOT NULL) AS labour_cents,
    (SELECT coalesce(sum(l.quantity * l.unit_cents), 0) FROM work_line AS l WHERE l.<<job>>_id = j.id AND l.part_id IS NOT NULL) AS parts_cents,
    (SELECT coalesce(sum(CASE p.kind WHEN 'refund' THEN -p.cents ELSE p.cents END), 0) FROM payment AS p WHERE p.<<job>>_id = j.id AND p.struck = 0) AS paid_cents,
    CASE WHEN j.status = 'ready' AND j.storage_waived = 0 THEN max(0, CAST(julianday(date(now())) - julianday(j.ready_on) AS INTEGER) - 14) * <<storage>> ELSE j.storage_taken_cents END AS storage_cents,
    CASE WHEN j.status = 'approved' THEN (SELECT count(*) FROM work_line AS l JOIN part AS a ON a.id = l.part_id WHERE l.<<job>>_id = j.id AND l.quantity > a.stock) ELSE 0 END AS short
  FROM <<job>> AS j
) AS s;

CREATE VIEW <<mechanic>>_load AS
SELECT m.id AS <<mechanic>>_id, count(j.id) AS open_count, coalesce(sum(s.minutes), 0) AS held_minutes, m.max_minutes - coalesce(sum(s.minutes), 0) AS free_minutes
FROM <<mechanic>> AS m LEFT JOIN <<job>> AS j ON j.<<mechanic>>_id = m.id AND j.status IN ('approved', 'working') LEFT JOIN <<job>>_sum AS s ON s.<<job>>_id = j.id
GROUP BY m.id;
