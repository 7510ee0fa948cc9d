CREATE TABLE staff (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('manager', 'agent', 'accounts'))
) STRICT;

CREATE TABLE <<landlord>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL UNIQUE,
  fee_percent INTEGER NOT NULL CHECK (fee_percent BETWEEN 1 AND 25),
  approval_limit INTEGER NOT NULL CHECK (approval_limit > 0)
) STRICT;

CREATE TABLE <<building>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  address TEXT NOT NULL,
  <<landlord>>_id INTEGER NOT NULL REFERENCES <<landlord>> (id)
) STRICT;

CREATE TABLE <<unit>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  <<building>>_id INTEGER NOT NULL REFERENCES <<building>> (id),
  <<size>> INTEGER NOT NULL CHECK (<<size>> > 0),
  <<feature>> INTEGER NOT NULL DEFAULT 0 CHECK (<<feature>> IN (0, 1)),
  rent INTEGER NOT NULL CHECK (rent > 0),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
  UNIQUE (<<building>>_id, name)
) STRICT;

CREATE TABLE <<tenant>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL,
  <<tag>> TEXT
) STRICT;

CREATE TABLE <<lease>> (
  id INTEGER PRIMARY KEY,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  <<tenant>>_id INTEGER NOT NULL REFERENCES <<tenant>> (id),
  starts_on TEXT NOT NULL,
  fixed_until TEXT NOT NULL,
  notice_on TEXT,
  ends_on TEXT,
  rent INTEGER NOT NULL CHECK (rent > 0),
  deposit INTEGER NOT NULL CHECK (deposit >= 0),
  deposit_returned INTEGER,
  status TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'ended')),
  CHECK ((notice_on IS NULL) = (ends_on IS NULL)),
  CHECK ((status = 'ended') = (deposit_returned IS NOT NULL))
) STRICT;
CREATE INDEX <<lease>>_by_<<unit>> ON <<lease>> (<<unit>>_id);
CREATE INDEX <<lease>>_by_<<tenant>> ON <<lease>> (<<tenant>>_id);

CREATE TABLE deduction (
  id INTEGER PRIMARY KEY,
  <<lease>>_id INTEGER NOT NULL REFERENCES <<lease>> (id),
  reason TEXT NOT NULL CHECK (reason IN ('cleaning', 'damage', 'missing items')),
  amount INTEGER NOT NULL CHECK (amount > 0),
  UNIQUE (<<lease>>_id, reason)
) STRICT;

CREATE TABLE charge (
  id INTEGER PRIMARY KEY,
  <<lease>>_id INTEGER NOT NULL REFERENCES <<lease>> (id),
  kind TEXT NOT NULL CHECK (kind IN ('rent', 'late fee', 'replacement')),
  due_on TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  waived INTEGER NOT NULL DEFAULT 0 CHECK (waived IN (0, 1)),
  late_charge_id INTEGER UNIQUE
) STRICT;
CREATE INDEX charge_by_<<lease>> ON charge (<<lease>>_id);

CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  charge_id INTEGER NOT NULL REFERENCES charge (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  paid_on TEXT NOT NULL,
  method TEXT NOT NULL CHECK (method IN ('transfer', 'card', 'direct debit')),
  status TEXT NOT NULL DEFAULT 'received' CHECK (status IN ('received', 'void'))
) STRICT;
CREATE INDEX payment_by_charge ON payment (charge_id);

CREATE TABLE rent_review (
  id INTEGER PRIMARY KEY,
  <<lease>>_id INTEGER NOT NULL REFERENCES <<lease>> (id),
  proposed_on TEXT NOT NULL,
  effective_on TEXT NOT NULL,
  old_rent INTEGER NOT NULL,
  new_rent INTEGER NOT NULL CHECK (new_rent > old_rent),
  status TEXT NOT NULL DEFAULT 'proposed' CHECK (status IN ('proposed', 'agreed', 'declined'))
) STRICT;

CREATE TABLE inspection (
  id INTEGER PRIMARY KEY,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  kind TEXT NOT NULL CHECK (kind IN ('check-in', 'routine', 'check-out')),
  staff_id INTEGER NOT NULL REFERENCES staff (id),
  starts_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'done', 'cancelled')),
  result TEXT CHECK (result IN ('good', 'fair', 'poor')),
  CHECK ((status = 'done') = (result IS NOT NULL))
) STRICT;

CREATE TABLE contractor (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  trade TEXT NOT NULL CHECK (trade IN ('<<trade_a>>', '<<trade_b>>', '<<trade_c>>', '<<trade_d>>')),
  call_out INTEGER NOT NULL CHECK (call_out > 0),
  insured_until TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended'))
) STRICT;

CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  title TEXT NOT NULL,
  trade TEXT NOT NULL CHECK (trade IN ('<<trade_a>>', '<<trade_b>>', '<<trade_c>>', '<<trade_d>>')),
  urgency TEXT NOT NULL CHECK (urgency IN ('routine', 'urgent', 'emergency')),
  reported_on TEXT NOT NULL,
  consent_up_to INTEGER,
  contractor_id INTEGER REFERENCES contractor (id),
  cost INTEGER CHECK (cost >= 0),
  done_on TEXT,
  status TEXT NOT NULL DEFAULT 'reported' CHECK (status IN ('reported', 'ordered', 'done', 'cancelled')),
  CHECK ((contractor_id IS NULL) = (cost IS NULL)),
  CHECK ((status = 'done') = (done_on IS NOT NULL)),
  CHECK (status NOT IN ('ordered', 'done') OR contractor_id IS NOT NULL),
  CHECK (status <> 'reported' OR contractor_id IS NULL)
) STRICT;

CREATE TABLE quote (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL REFERENCES job (id),
  contractor_id INTEGER NOT NULL REFERENCES contractor (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  valid_until TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'offered' CHECK (status IN ('offered', 'approved', 'declined')),
  UNIQUE (job_id, contractor_id)
) STRICT;

CREATE TABLE <<card>> (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  <<lease>>_id INTEGER REFERENCES <<lease>> (id),
  status TEXT NOT NULL DEFAULT 'in office' CHECK (status IN ('in office', 'out', 'lost')),
  CHECK ((status = 'out') = (<<lease>>_id IS NOT NULL))
) STRICT;

CREATE TABLE <<applicant>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL,
  budget INTEGER NOT NULL CHECK (budget > 0),
  min_<<size>> INTEGER NOT NULL CHECK (min_<<size>> > 0)
) STRICT;

CREATE TABLE <<viewing>> (
  id INTEGER PRIMARY KEY,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  <<applicant>>_id INTEGER NOT NULL REFERENCES <<applicant>> (id),
  staff_id INTEGER NOT NULL REFERENCES staff (id),
  starts_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'done', 'cancelled'))
) STRICT;

CREATE TABLE application (
  id INTEGER PRIMARY KEY,
  <<applicant>>_id INTEGER NOT NULL REFERENCES <<applicant>> (id),
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  made_on TEXT NOT NULL,
  offered_rent INTEGER NOT NULL CHECK (offered_rent > 0),
  starts_on TEXT NOT NULL,
  months INTEGER NOT NULL CHECK (months BETWEEN 1 AND 36),
  credit_check TEXT NOT NULL DEFAULT 'pending' CHECK (credit_check IN ('pending', 'passed', 'failed')),
  <<second_check>> TEXT NOT NULL DEFAULT 'pending' CHECK (<<second_check>> IN ('pending', 'passed', 'failed')),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'rejected', 'withdrawn'))
) STRICT;

-- part meters
CREATE TABLE reading (
  id INTEGER PRIMARY KEY,
  <<unit>>_id INTEGER NOT NULL REFERENCES <<unit>> (id),
  read_on TEXT NOT NULL,
  value INTEGER NOT NULL CHECK (value >= 0),
  UNIQUE (<<unit>>_id, read_on)
) STRICT;
-- end part

-- part parking
CREATE TABLE <<bay>> (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  <<building>>_id INTEGER NOT NULL REFERENCES <<building>> (id),
  monthly_fee INTEGER NOT NULL CHECK (monthly_fee > 0),
  <<lease>>_id INTEGER REFERENCES <<lease>> (id)
) STRICT;
-- end part

CREATE VIEW charge_sum AS
SELECT c.id AS charge_id, c.<<lease>>_id, l.<<tenant>>_id, l.<<unit>>_id, c.kind, c.due_on, c.amount, p.paid,
  CASE WHEN c.waived = 1 THEN 0 ELSE c.amount - p.paid END AS owed,
  CASE WHEN c.waived = 1 THEN 'waived' WHEN c.amount - p.paid <= 0 THEN 'paid' WHEN c.due_on < date(now()) THEN 'overdue' ELSE 'not yet due' END AS state
FROM charge AS c JOIN <<lease>> AS l ON l.id = c.<<lease>>_id
JOIN (SELECT c2.id AS charge_id, coalesce((SELECT sum(amount) FROM payment WHERE charge_id = c2.id AND status = 'received'), 0) AS paid FROM charge AS c2) AS p ON p.charge_id = c.id;

CREATE VIEW <<unit>>_state AS
SELECT u.id AS <<unit>>_id,
  CASE WHEN u.status = 'closed' THEN 'closed'
    WHEN EXISTS (SELECT 1 FROM <<lease>> AS l WHERE l.<<unit>>_id = u.id AND l.status = 'running' AND l.ends_on IS NULL) THEN 'let'
    WHEN EXISTS (SELECT 1 FROM <<lease>> AS l WHERE l.<<unit>>_id = u.id AND l.status = 'running') THEN 'under notice'
    ELSE 'vacant' END AS state
FROM <<unit>> AS u;

CREATE VIEW diary AS
SELECT staff_id, starts_at, <<unit>>_id, <<applicant>>_id, 'viewing' AS what, id AS entry_id FROM <<viewing>> WHERE status = 'booked'
UNION ALL
SELECT staff_id, starts_at, <<unit>>_id, NULL, 'inspection', id FROM inspection WHERE status = 'booked';
