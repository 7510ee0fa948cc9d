CREATE TABLE <<branch>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  address TEXT NOT NULL,
  phone TEXT NOT NULL,
  shelf INTEGER NOT NULL CHECK (shelf BETWEEN 1 AND 40)
) STRICT;

CREATE TABLE staff (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('desk', 'driver', 'manager')),
  <<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id)
) STRICT;

CREATE TABLE <<category>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  max_loans INTEGER NOT NULL CHECK (max_loans > 0),
  loan_days INTEGER NOT NULL CHECK (loan_days BETWEEN 3 AND 90),
  max_renewals INTEGER NOT NULL CHECK (max_renewals >= 0),
  max_<<holds>> INTEGER NOT NULL CHECK (max_<<holds>> >= 0),
  daily_fee INTEGER NOT NULL CHECK (daily_fee >= 0),
  annual_fee INTEGER NOT NULL CHECK (annual_fee > 0)
) STRICT;

CREATE TABLE <<member>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL,
  <<category>>_id INTEGER NOT NULL REFERENCES <<category>> (id),
  <<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  joined_on TEXT NOT NULL,
  expires_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  CHECK (expires_on > joined_on)
) STRICT;

CREATE TABLE <<work>> (
  id INTEGER PRIMARY KEY,
  <<title>> TEXT NOT NULL UNIQUE,
  <<maker>> TEXT NOT NULL,
  <<field>> TEXT NOT NULL,
  <<size>> INTEGER NOT NULL CHECK (<<size>> > 0),
  price INTEGER NOT NULL CHECK (price > 0)
) STRICT;

CREATE TABLE <<copy>> (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  <<work>>_id INTEGER NOT NULL REFERENCES <<work>> (id),
  <<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  status TEXT NOT NULL DEFAULT 'available'
    CHECK (status IN ('available', 'on_loan', 'set_aside', 'in_transit', 'in_repair', 'lost', 'withdrawn')),
  acquired_on TEXT NOT NULL
) STRICT;

CREATE TABLE loan (
  id INTEGER PRIMARY KEY,
  <<copy>>_id INTEGER NOT NULL REFERENCES <<copy>> (id),
  <<member>>_id INTEGER NOT NULL REFERENCES <<member>> (id),
  borrowed_on TEXT NOT NULL,
  due_on TEXT NOT NULL,
  renewals INTEGER NOT NULL DEFAULT 0 CHECK (renewals >= 0),
  renewed_on TEXT,
  status TEXT NOT NULL DEFAULT 'out' CHECK (status IN ('out', 'returned', 'lost')),
  ended_on TEXT,
  CHECK (due_on > borrowed_on),
  CHECK ((status = 'out') = (ended_on IS NULL))
) STRICT;

CREATE TABLE <<hold>> (
  id INTEGER PRIMARY KEY,
  <<work>>_id INTEGER NOT NULL REFERENCES <<work>> (id),
  <<member>>_id INTEGER NOT NULL REFERENCES <<member>> (id),
  <<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  placed_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'ready', 'collected', 'cancelled', 'expired')),
  <<copy>>_id INTEGER REFERENCES <<copy>> (id),
  ready_until TEXT,
  CHECK ((status = 'ready') = (ready_until IS NOT NULL)),
  CHECK (status <> 'ready' OR <<copy>>_id IS NOT NULL)
) STRICT;

CREATE TABLE charge (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  <<member>>_id INTEGER NOT NULL REFERENCES <<member>> (id),
  loan_id INTEGER REFERENCES loan (id),
  kind TEXT NOT NULL CHECK (kind IN ('overdue', 'damage', 'lost', 'membership')),
  amount INTEGER NOT NULL CHECK (amount > 0),
  raised_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'waived')),
  waived_for TEXT CHECK (waived_for IN ('illness', 'mistake', 'goodwill', 'found')),
  CHECK ((status = 'waived') = (waived_for IS NOT NULL)),
  CHECK ((kind = 'membership') = (loan_id IS NULL))
) STRICT;

CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  charge_id INTEGER NOT NULL REFERENCES charge (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  method TEXT NOT NULL CHECK (method IN ('cash', 'card', 'transfer')),
  paid_at TEXT NOT NULL,
  staff_id INTEGER NOT NULL REFERENCES staff (id)
) STRICT;

CREATE TABLE courier_run (
  id INTEGER PRIMARY KEY,
  from_<<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  to_<<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  driver_id INTEGER NOT NULL REFERENCES staff (id),
  leaves_at TEXT NOT NULL,
  room INTEGER NOT NULL CHECK (room > 0),
  status TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'under_way', 'done', 'cancelled')),
  CHECK (from_<<branch>>_id <> to_<<branch>>_id)
) STRICT;

CREATE TABLE transfer (
  id INTEGER PRIMARY KEY,
  <<copy>>_id INTEGER NOT NULL REFERENCES <<copy>> (id),
  from_<<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  to_<<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  requested_on TEXT NOT NULL,
  courier_run_id INTEGER REFERENCES courier_run (id),
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'loaded', 'arrived')),
  CHECK (from_<<branch>>_id <> to_<<branch>>_id),
  CHECK ((status = 'waiting') = (courier_run_id IS NULL))
) STRICT;

CREATE TABLE repair (
  id INTEGER PRIMARY KEY,
  <<copy>>_id INTEGER NOT NULL REFERENCES <<copy>> (id),
  problem TEXT NOT NULL,
  opened_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done', 'scrapped')),
  cost INTEGER CHECK (cost >= 0),
  ended_on TEXT,
  CHECK ((status = 'open') = (ended_on IS NULL)),
  CHECK ((status = 'open') = (cost IS NULL))
) STRICT;

-- part events
CREATE TABLE <<event>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  <<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  starts_at TEXT NOT NULL,
  places INTEGER NOT NULL CHECK (places > 0),
  status TEXT NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'cancelled')),
  UNIQUE (name, starts_at)
) STRICT;

CREATE TABLE place (
  id INTEGER PRIMARY KEY,
  <<event>>_id INTEGER NOT NULL REFERENCES <<event>> (id),
  <<member>>_id INTEGER NOT NULL REFERENCES <<member>> (id),
  since TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('booked', 'waiting', 'cancelled'))
) STRICT;
-- end part

-- part purchases
CREATE TABLE supplier (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE fund (
  id INTEGER PRIMARY KEY,
  <<branch>>_id INTEGER NOT NULL UNIQUE REFERENCES <<branch>> (id),
  amount INTEGER NOT NULL CHECK (amount > 0)
) STRICT;

CREATE TABLE suggestion (
  id INTEGER PRIMARY KEY,
  <<member>>_id INTEGER NOT NULL REFERENCES <<member>> (id),
  <<title>> TEXT NOT NULL UNIQUE,
  <<maker>> TEXT NOT NULL,
  <<field>> TEXT NOT NULL,
  <<size>> INTEGER NOT NULL CHECK (<<size>> > 0),
  made_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'ordered', 'bought', 'declined'))
) STRICT;

CREATE TABLE quote (
  id INTEGER PRIMARY KEY,
  suggestion_id INTEGER NOT NULL REFERENCES suggestion (id),
  supplier_id INTEGER NOT NULL REFERENCES supplier (id),
  price INTEGER NOT NULL CHECK (price > 0),
  delivery_days INTEGER NOT NULL CHECK (delivery_days > 0),
  UNIQUE (suggestion_id, supplier_id)
) STRICT;

CREATE TABLE purchase_order (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  quote_id INTEGER NOT NULL REFERENCES quote (id),
  <<branch>>_id INTEGER NOT NULL REFERENCES <<branch>> (id),
  quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 6),
  cost INTEGER NOT NULL CHECK (cost > 0),
  ordered_on TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'sent' CHECK (status IN ('sent', 'received'))
) STRICT;

CREATE VIEW fund_sum AS
SELECT f.<<branch>>_id, f.amount,
  (SELECT coalesce(sum(cost), 0) FROM purchase_order AS o WHERE o.<<branch>>_id = f.<<branch>>_id) AS spent,
  f.amount - (SELECT coalesce(sum(cost), 0) FROM purchase_order AS o WHERE o.<<branch>>_id = f.<<branch>>_id) AS left_over
FROM fund AS f;
-- end part

CREATE VIEW charge_sum AS
SELECT c.id AS charge_id, c.<<member>>_id, c.amount, coalesce(sum(p.amount), 0) AS paid,
  CASE WHEN c.status = 'waived' THEN 0 ELSE c.amount - coalesce(sum(p.amount), 0) END AS owed
FROM charge AS c LEFT JOIN payment AS p ON p.charge_id = c.id
GROUP BY c.id;

CREATE VIEW account AS
SELECT m.id AS <<member>>_id, m.name,
  (SELECT count(*) FROM loan WHERE loan.<<member>>_id = m.id AND loan.status = 'out') AS loans,
  (SELECT count(*) FROM <<hold>> AS h WHERE h.<<member>>_id = m.id AND h.status IN ('waiting', 'ready')) AS open_<<holds>>,
  (SELECT coalesce(sum(owed), 0) FROM charge_sum AS s WHERE s.<<member>>_id = m.id) AS owed,
  k.max_loans, k.max_<<holds>>,
  CASE
    WHEN m.status = 'suspended' THEN 'the membership is suspended'
    WHEN m.expires_on < date(now()) THEN 'the membership expired on ' || m.expires_on
    WHEN (SELECT coalesce(sum(owed), 0) FROM charge_sum AS s WHERE s.<<member>>_id = m.id) > 1000 THEN 'more than <<limit>> is owed'
  END AS problem
FROM <<member>> AS m JOIN <<category>> AS k ON k.id = m.<<category>>_id;

CREATE VIEW late AS
SELECT loan.id AS loan_id, c.<<work>>_id, w.price,
  max(0, CAST(julianday(date(now())) - julianday(loan.due_on) AS INTEGER)) AS days_late,
  min(w.price, k.daily_fee * max(0, CAST(julianday(date(now())) - julianday(loan.due_on) AS INTEGER))) AS fee,
  k.daily_fee, k.loan_days, k.max_renewals
FROM loan
JOIN <<copy>> AS c ON c.id = loan.<<copy>>_id
JOIN <<work>> AS w ON w.id = c.<<work>>_id
JOIN <<member>> AS m ON m.id = loan.<<member>>_id
JOIN <<category>> AS k ON k.id = m.<<category>>_id
WHERE loan.status = 'out';

CREATE VIEW run_load AS
SELECT r.id AS courier_run_id, r.room, count(t.id) AS loaded, r.room - count(t.id) AS free
FROM courier_run AS r LEFT JOIN transfer AS t ON t.courier_run_id = r.id
GROUP BY r.id;
