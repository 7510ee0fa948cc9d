CREATE TABLE staff (
  id    INTEGER PRIMARY KEY,
  name  TEXT NOT NULL UNIQUE,
  role  TEXT NOT NULL CHECK (role IN ('desk', 'yard', 'accounts'))
) STRICT;

CREATE TABLE depot (
  id    INTEGER PRIMARY KEY,
  name  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE <<zone>> (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  depot_id   INTEGER NOT NULL REFERENCES depot (id),
  surcharge  INTEGER NOT NULL CHECK (surcharge >= 0)            -- on every price
) STRICT;

CREATE TABLE <<driver>> (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  phone      TEXT    NOT NULL,
  depot_id   INTEGER NOT NULL REFERENCES depot (id),
  licence    TEXT    NOT NULL CHECK (licence IN ('<<lic1>>', '<<lic2>>')),   -- <<lic2>> covers <<lic1>>
  max_hours  INTEGER NOT NULL CHECK (max_hours > 0),            -- a week, Monday to Sunday
  status     TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'left'))
) STRICT;

CREATE TABLE absence (
  id            INTEGER PRIMARY KEY,
  <<driver>>_id INTEGER NOT NULL REFERENCES <<driver>> (id),
  from_on       TEXT    NOT NULL,
  until_on      TEXT    NOT NULL,
  reason        TEXT    NOT NULL CHECK (reason IN ('holiday', 'sick', 'training')),
  CHECK (until_on >= from_on)
) STRICT;

CREATE TABLE <<van>> (
  id              INTEGER PRIMARY KEY,
  plate           TEXT    NOT NULL UNIQUE,
  depot_id        INTEGER NOT NULL REFERENCES depot (id),
  licence         TEXT    NOT NULL CHECK (licence IN ('<<lic1>>', '<<lic2>>')),   -- needed to drive it
  capacity_kg     INTEGER NOT NULL CHECK (capacity_kg > 0),
  <<kit>>         INTEGER NOT NULL CHECK (<<kit>> IN (0, 1)),
  inspection_due  TEXT    NOT NULL
) STRICT;

CREATE TABLE defect (
  id           INTEGER PRIMARY KEY,
  <<van>>_id   INTEGER NOT NULL REFERENCES <<van>> (id),
  what         TEXT    NOT NULL,
  severity     TEXT    NOT NULL CHECK (severity IN ('minor', 'major')),
  reported_on  TEXT    NOT NULL,
  fixed_on     TEXT,
  cost         INTEGER CHECK (cost >= 0),
  CHECK ((fixed_on IS NULL) = (cost IS NULL))
) STRICT;

CREATE TABLE <<tariff>> (
  id                 INTEGER PRIMARY KEY,
  name               TEXT    NOT NULL UNIQUE,
  base_price         INTEGER NOT NULL CHECK (base_price > 0),
  kg_price           INTEGER NOT NULL CHECK (kg_price > 0),
  <<special>>_price  INTEGER NOT NULL CHECK (<<special>>_price > 0),
  redelivery_fee     INTEGER NOT NULL CHECK (redelivery_fee > 0),
  storage_fee        INTEGER NOT NULL CHECK (storage_fee > 0),  -- a day
  free_days          INTEGER NOT NULL CHECK (free_days >= 0),
  cover              INTEGER NOT NULL CHECK (cover > 0)         -- most that is paid on a claim
) STRICT;

CREATE TABLE <<customer>> (
  id           INTEGER PRIMARY KEY,
  name         TEXT    NOT NULL UNIQUE,
  contact      TEXT    NOT NULL,
  phone        TEXT    NOT NULL,
  <<tariff>>_id INTEGER NOT NULL REFERENCES <<tariff>> (id),
  status       TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'stopped'))
) STRICT;

CREATE TABLE <<run>> (
  id            INTEGER PRIMARY KEY,
  number        TEXT    NOT NULL UNIQUE,
  <<zone>>_id   INTEGER NOT NULL REFERENCES <<zone>> (id),
  on_day        TEXT    NOT NULL,
  shift         TEXT    NOT NULL CHECK (shift IN ('morning', 'afternoon')),
  hours         INTEGER NOT NULL CHECK (hours BETWEEN 1 AND 8),
  <<driver>>_id INTEGER NOT NULL REFERENCES <<driver>> (id),
  <<van>>_id    INTEGER NOT NULL REFERENCES <<van>> (id),
  status        TEXT    NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'out', 'done', 'cancelled'))
) STRICT;

CREATE TABLE invoice (
  id            INTEGER PRIMARY KEY,
  number        TEXT    NOT NULL UNIQUE,
  <<customer>>_id INTEGER NOT NULL REFERENCES <<customer>> (id),
  issued_on     TEXT    NOT NULL,
  due_on        TEXT    NOT NULL,
  CHECK (due_on > issued_on)
) STRICT;

CREATE TABLE <<load>> (
  id            INTEGER PRIMARY KEY,
  number        TEXT    NOT NULL UNIQUE,
  <<customer>>_id INTEGER NOT NULL REFERENCES <<customer>> (id),
  <<recipient>> TEXT    NOT NULL,
  <<zone>>_id   INTEGER NOT NULL REFERENCES <<zone>> (id),
  pieces        INTEGER NOT NULL CHECK (pieces > 0),
  weight_kg     INTEGER NOT NULL CHECK (weight_kg > 0),
  <<special>>   INTEGER NOT NULL DEFAULT 0 CHECK (<<special>> IN (0, 1)),
  wanted_on     TEXT    NOT NULL,
  slot          TEXT    NOT NULL CHECK (slot IN ('morning', 'afternoon', 'any')),
  <<cod>>       INTEGER NOT NULL DEFAULT 0 CHECK (<<cod>> >= 0),
  price         INTEGER NOT NULL CHECK (price > 0),
  status        TEXT    NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'out', 'delivered', 'failed', 'returned', 'cancelled', 'handed')),
  invoice_id    INTEGER REFERENCES invoice (id)
) STRICT;

CREATE TABLE stop (
  id           INTEGER PRIMARY KEY,
  <<run>>_id   INTEGER NOT NULL REFERENCES <<run>> (id),
  <<load>>_id  INTEGER NOT NULL REFERENCES <<load>> (id),
  position     INTEGER NOT NULL CHECK (position > 0),
  status       TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'delivered', 'failed')),
  signed_by    TEXT,
  fail_reason  TEXT CHECK (fail_reason IN ('nobody home', 'refused', 'wrong address')),
  UNIQUE (<<run>>_id, position),
  CHECK ((status = 'delivered') = (signed_by IS NOT NULL)),
  CHECK ((status = 'failed') = (fail_reason IS NOT NULL))
) STRICT;

CREATE TABLE cash (
  id            INTEGER PRIMARY KEY,
  <<load>>_id   INTEGER NOT NULL UNIQUE REFERENCES <<load>> (id),
  <<driver>>_id INTEGER NOT NULL REFERENCES <<driver>> (id),
  amount        INTEGER NOT NULL CHECK (amount > 0),
  collected_on  TEXT    NOT NULL,
  status        TEXT    NOT NULL DEFAULT 'held' CHECK (status IN ('held', 'banked'))
) STRICT;

CREATE TABLE surcharge (
  id           INTEGER PRIMARY KEY,
  <<load>>_id  INTEGER NOT NULL REFERENCES <<load>> (id),
  kind         TEXT    NOT NULL CHECK (kind IN ('redelivery', 'storage', 'waiting')),
  amount       INTEGER NOT NULL CHECK (amount > 0),
  added_on     TEXT    NOT NULL,
  waived       INTEGER NOT NULL DEFAULT 0 CHECK (waived IN (0, 1))
) STRICT;

CREATE TABLE claim (
  id           INTEGER PRIMARY KEY,
  number       TEXT    NOT NULL UNIQUE,
  <<load>>_id  INTEGER NOT NULL UNIQUE REFERENCES <<load>> (id),
  what         TEXT    NOT NULL,
  claimed      INTEGER NOT NULL CHECK (claimed > 0),
  made_on      TEXT    NOT NULL,
  status       TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'rejected')),
  paid         INTEGER CHECK (paid > 0),
  CHECK ((status = 'accepted') = (paid IS NOT NULL))
) STRICT;

CREATE TABLE payment (
  id           INTEGER PRIMARY KEY,
  invoice_id   INTEGER NOT NULL REFERENCES invoice (id),
  amount       INTEGER NOT NULL CHECK (amount > 0),
  method       TEXT    NOT NULL CHECK (method IN ('transfer', 'card', 'cheque')),
  received_on  TEXT    NOT NULL
) STRICT;

-- part expenses
CREATE TABLE expense (
  id            INTEGER PRIMARY KEY,
  number        TEXT    NOT NULL UNIQUE,
  <<driver>>_id INTEGER NOT NULL REFERENCES <<driver>> (id),
  kind          TEXT    NOT NULL CHECK (kind IN ('fuel', 'toll', 'parking')),
  amount        INTEGER NOT NULL CHECK (amount > 0),
  spent_on      TEXT    NOT NULL,
  receipt       INTEGER NOT NULL CHECK (receipt IN (0, 1)),
  status        TEXT    NOT NULL DEFAULT 'submitted' CHECK (status IN ('submitted', 'approved', 'rejected'))
) STRICT;
-- end part

-- part partners
CREATE TABLE partner (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  max_kg     INTEGER NOT NULL CHECK (max_kg > 0),               -- a <<load>>
  <<kit>>    INTEGER NOT NULL CHECK (<<kit>> IN (0, 1))
) STRICT;

CREATE TABLE partner_fee (
  id           INTEGER PRIMARY KEY,
  partner_id   INTEGER NOT NULL REFERENCES partner (id),
  <<zone>>_id  INTEGER NOT NULL REFERENCES <<zone>> (id),
  fee          INTEGER NOT NULL CHECK (fee > 0),
  UNIQUE (partner_id, <<zone>>_id)
) STRICT;

CREATE TABLE handover (
  id           INTEGER PRIMARY KEY,
  <<load>>_id  INTEGER NOT NULL UNIQUE REFERENCES <<load>> (id),
  partner_id   INTEGER NOT NULL REFERENCES partner (id),
  fee          INTEGER NOT NULL CHECK (fee > 0),
  handed_on    TEXT    NOT NULL
) STRICT;
-- end part

CREATE INDEX stop_load ON stop (<<load>>_id);
CREATE INDEX load_customer ON <<load>> (<<customer>>_id);
CREATE INDEX load_zone ON <<load>> (<<zone>>_id);
CREATE INDEX load_invoice ON <<load>> (invoice_id);
CREATE INDEX run_day ON <<run>> (on_day);
CREATE INDEX surcharge_load ON surcharge (<<load>>_id);
CREATE INDEX payment_invoice ON payment (invoice_id);
CREATE INDEX defect_van ON defect (<<van>>_id);

-- What a <<run>> carries: its stops, those still open, the weight of all of them, and the room that is left.
CREATE VIEW <<run>>_use AS
SELECT r.id AS <<run>>_id, coalesce(s.stops, 0) AS stops, coalesce(s.open_stops, 0) AS open_stops, coalesce(s.kg, 0) AS kg, v.capacity_kg - coalesce(s.kg, 0) AS room_kg,
  coalesce(s.<<special>>, 0) AS <<special>>
FROM <<run>> AS r JOIN <<van>> AS v ON v.id = r.<<van>>_id
  LEFT JOIN (SELECT s.<<run>>_id, count(*) AS stops, sum(s.status = 'open') AS open_stops, sum(l.weight_kg) AS kg, max(l.<<special>>) AS <<special>>
    FROM stop AS s JOIN <<load>> AS l ON l.id = s.<<load>>_id GROUP BY s.<<run>>_id) AS s ON s.<<run>>_id = r.id;

-- Failed attempts, and the stop and <<run>> that it is on now.
CREATE VIEW <<load>>_state AS
SELECT l.id AS <<load>>_id,
  (SELECT count(*) FROM stop AS s WHERE s.<<load>>_id = l.id AND s.status = 'failed') AS attempts,
  (SELECT s.id FROM stop AS s WHERE s.<<load>>_id = l.id AND s.status = 'open') AS stop_id,
  (SELECT s.<<run>>_id FROM stop AS s WHERE s.<<load>>_id = l.id AND s.status = 'open') AS <<run>>_id,
  (SELECT max(r.on_day) FROM stop AS s JOIN <<run>> AS r ON r.id = s.<<run>>_id WHERE s.<<load>>_id = l.id AND s.status = 'delivered') AS delivered_on,
  (SELECT coalesce(sum(u.amount), 0) FROM surcharge AS u WHERE u.<<load>>_id = l.id AND u.waived = 0) AS surcharges
FROM <<load>> AS l;

CREATE VIEW invoice_balance AS
SELECT i.id AS invoice_id, coalesce(t.total, 0) AS total, coalesce(p.paid, 0) AS paid, coalesce(t.total, 0) - coalesce(p.paid, 0) AS owed
FROM invoice AS i
  LEFT JOIN (SELECT l.invoice_id, sum(l.price + coalesce((SELECT sum(u.amount) FROM surcharge AS u WHERE u.<<load>>_id = l.id AND u.waived = 0), 0)) AS total
    FROM <<load>> AS l WHERE l.invoice_id IS NOT NULL GROUP BY l.invoice_id) AS t ON t.invoice_id = i.id
  LEFT JOIN (SELECT invoice_id, sum(amount) AS paid FROM payment GROUP BY invoice_id) AS p ON p.invoice_id = i.id;

-- Hours of a <<driver>> in each week, named by its Monday.
CREATE VIEW <<driver>>_week AS
SELECT <<driver>>_id, date(on_day, 'weekday 0', '-6 days') AS monday, sum(hours) AS hours, count(*) AS <<runs>>
FROM <<run>> WHERE status <> 'cancelled' GROUP BY <<driver>>_id, date(on_day, 'weekday 0', '-6 days');
