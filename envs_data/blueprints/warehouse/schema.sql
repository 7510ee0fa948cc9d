-- Order desk of a wholesale warehouse. Money in whole cents or pence, quantities in units.

CREATE TABLE staff (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE,
  role  TEXT    NOT NULL CHECK (role IN ('desk', 'floor', 'buying'))
) STRICT;

CREATE TABLE supplier (
  id             INTEGER PRIMARY KEY,
  name           TEXT    NOT NULL UNIQUE,
  town           TEXT    NOT NULL,
  lead_days      INTEGER NOT NULL CHECK (lead_days > 0),        -- from sending a purchase order to its arrival
  minimum_cents  INTEGER NOT NULL CHECK (minimum_cents >= 0)    -- the least a purchase order may come to
) STRICT;

CREATE TABLE <<item>> (
  id             INTEGER PRIMARY KEY,
  code           TEXT    NOT NULL UNIQUE,
  name           TEXT    NOT NULL UNIQUE,
  <<zone>>       TEXT    NOT NULL CHECK (<<zone>> IN ('<<z1>>', '<<z2>>', '<<z3>>')),
  supplier_id    INTEGER NOT NULL REFERENCES supplier (id),
  pack           INTEGER NOT NULL CHECK (pack > 0),             -- bought and sold in multiples of this
  list_cents     INTEGER NOT NULL CHECK (list_cents > 0),
  cost_cents     INTEGER NOT NULL CHECK (cost_cents > 0),
  reorder_level  INTEGER NOT NULL CHECK (reorder_level >= 0)
) STRICT;

CREATE TABLE price_break (
  id            INTEGER PRIMARY KEY,
  <<item>>_id   INTEGER NOT NULL REFERENCES <<item>> (id),
  min_quantity  INTEGER NOT NULL CHECK (min_quantity > 1),
  unit_cents    INTEGER NOT NULL CHECK (unit_cents > 0),
  UNIQUE (<<item>>_id, min_quantity)
) STRICT;

CREATE TABLE <<bin>> (
  id        INTEGER PRIMARY KEY,
  code      TEXT    NOT NULL UNIQUE,
  <<zone>>  TEXT    NOT NULL CHECK (<<zone>> IN ('<<z1>>', '<<z2>>', '<<z3>>')),
  capacity  INTEGER NOT NULL CHECK (capacity > 0),              -- units
  status    TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed'))
) STRICT;

CREATE TABLE lot (
  id           INTEGER PRIMARY KEY,
  number       TEXT    NOT NULL UNIQUE,
  <<item>>_id  INTEGER NOT NULL REFERENCES <<item>> (id),
  <<bin>>_id   INTEGER NOT NULL REFERENCES <<bin>> (id),
  quantity     INTEGER NOT NULL CHECK (quantity >= 0),          -- on hand, reserved units included
  <<day>>      TEXT    NOT NULL,
  received_on  TEXT    NOT NULL,
  status       TEXT    NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'blocked')),
  note         TEXT
) STRICT;

CREATE TABLE customer (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  contact       TEXT    NOT NULL,
  phone         TEXT    NOT NULL,
  town          TEXT    NOT NULL,
  credit_cents  INTEGER NOT NULL CHECK (credit_cents >= 0),     -- for what is owed and what is confirmed together
  terms_days    INTEGER NOT NULL CHECK (terms_days > 0),        -- from invoice to due day
  status        TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'hold'))
) STRICT;

CREATE TABLE purchase_order (
  id           INTEGER PRIMARY KEY,
  number       TEXT    NOT NULL UNIQUE,
  supplier_id  INTEGER NOT NULL REFERENCES supplier (id),
  status       TEXT    NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'open', 'received', 'cancelled')),
  created_on   TEXT    NOT NULL,
  expected_on  TEXT,
  CHECK (status IN ('draft', 'cancelled') OR expected_on IS NOT NULL)
) STRICT;

CREATE TABLE purchase_line (
  id                 INTEGER PRIMARY KEY,
  purchase_order_id  INTEGER NOT NULL REFERENCES purchase_order (id),
  <<item>>_id        INTEGER NOT NULL REFERENCES <<item>> (id),
  ordered            INTEGER NOT NULL CHECK (ordered > 0),
  received           INTEGER NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND ordered),
  unit_cents         INTEGER NOT NULL CHECK (unit_cents > 0),
  UNIQUE (purchase_order_id, <<item>>_id)
) STRICT;

CREATE TABLE sales_order (
  id           INTEGER PRIMARY KEY,
  number       TEXT    NOT NULL UNIQUE,
  customer_id  INTEGER NOT NULL REFERENCES customer (id),
  status       TEXT    NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'confirmed', 'shipped', 'cancelled')),
  placed_on    TEXT    NOT NULL,
  wanted_on    TEXT    NOT NULL
) STRICT;

CREATE TABLE sales_line (
  id              INTEGER PRIMARY KEY,
  sales_order_id  INTEGER NOT NULL REFERENCES sales_order (id),
  <<item>>_id     INTEGER NOT NULL REFERENCES <<item>> (id),
  quantity        INTEGER NOT NULL CHECK (quantity > 0),
  unit_cents      INTEGER NOT NULL CHECK (unit_cents > 0),
  UNIQUE (sales_order_id, <<item>>_id)
) STRICT;

CREATE TABLE reservation (
  id             INTEGER PRIMARY KEY,
  sales_line_id  INTEGER NOT NULL REFERENCES sales_line (id),
  lot_id         INTEGER NOT NULL REFERENCES lot (id),
  quantity       INTEGER NOT NULL CHECK (quantity > 0),
  picked         INTEGER NOT NULL DEFAULT 0 CHECK (picked IN (0, 1)),
  UNIQUE (sales_line_id, lot_id)
) STRICT;

CREATE TABLE carrier (
  id             INTEGER PRIMARY KEY,
  name           TEXT    NOT NULL UNIQUE,
  fee_cents      INTEGER NOT NULL CHECK (fee_cents > 0),
  max_units      INTEGER NOT NULL CHECK (max_units > 0),        -- a shipment
  cut_off        TEXT    NOT NULL,                              -- HH:MM; afterwards it takes nothing more for the same day
  takes_<<z3>>   INTEGER NOT NULL CHECK (takes_<<z3>> IN (0, 1))
) STRICT;

CREATE TABLE shipment (
  id              INTEGER PRIMARY KEY,
  number          TEXT    NOT NULL UNIQUE,
  sales_order_id  INTEGER NOT NULL REFERENCES sales_order (id),
  carrier_id      INTEGER NOT NULL REFERENCES carrier (id),
  ship_on         TEXT    NOT NULL,
  status          TEXT    NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'dispatched', 'cancelled')),
  fee_cents       INTEGER NOT NULL CHECK (fee_cents >= 0)
) STRICT;

CREATE TABLE invoice (
  id              INTEGER PRIMARY KEY,
  number          TEXT    NOT NULL UNIQUE,
  sales_order_id  INTEGER NOT NULL UNIQUE REFERENCES sales_order (id),
  cents           INTEGER NOT NULL CHECK (cents > 0),           -- the lines and the carrier's fee
  issued_on       TEXT    NOT NULL,
  due_on          TEXT    NOT NULL,
  status          TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid')),
  CHECK (due_on > issued_on)
) STRICT;

CREATE TABLE payment (
  id           INTEGER PRIMARY KEY,
  invoice_id   INTEGER NOT NULL REFERENCES invoice (id),
  cents        INTEGER NOT NULL CHECK (cents > 0),
  method       TEXT    NOT NULL CHECK (method IN ('transfer', 'card', 'cheque')),
  received_on  TEXT    NOT NULL
) STRICT;

-- part returns
CREATE TABLE goods_return (
  id             INTEGER PRIMARY KEY,
  number         TEXT    NOT NULL UNIQUE,
  sales_line_id  INTEGER NOT NULL REFERENCES sales_line (id),
  quantity       INTEGER NOT NULL CHECK (quantity > 0),
  reason         TEXT    NOT NULL CHECK (reason IN ('damaged', 'wrong', 'unwanted')),
  status         TEXT    NOT NULL DEFAULT 'announced' CHECK (status IN ('announced', 'restocked', 'scrapped', 'declined')),
  announced_on   TEXT    NOT NULL
) STRICT;
-- end part

-- part counts
CREATE TABLE stock_count (
  id          INTEGER PRIMARY KEY,
  number      TEXT    NOT NULL UNIQUE,
  lot_id      INTEGER NOT NULL REFERENCES lot (id),
  booked      INTEGER NOT NULL CHECK (booked >= 0),             -- on hand by the books when it was counted
  counted     INTEGER NOT NULL CHECK (counted >= 0),
  counted_on  TEXT    NOT NULL,
  staff_id    INTEGER NOT NULL REFERENCES staff (id),
  status      TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'posted', 'dismissed'))
) STRICT;
-- end part

CREATE INDEX lot_item ON lot (<<item>>_id);
CREATE INDEX lot_bin ON lot (<<bin>>_id);
CREATE INDEX reservation_lot ON reservation (lot_id);
CREATE INDEX sales_order_customer ON sales_order (customer_id);
CREATE INDEX purchase_line_item ON purchase_line (<<item>>_id);
CREATE INDEX sales_line_item ON sales_line (<<item>>_id);
CREATE INDEX payment_invoice ON payment (invoice_id);
CREATE INDEX shipment_order ON shipment (sales_order_id);

-- What of a lot is reserved, whether it is <<stale>>, and what of it can still be promised.
CREATE VIEW lot_stock AS
SELECT l.id AS lot_id,
  coalesce(r.reserved, 0) AS reserved,
  l.quantity - coalesce(r.reserved, 0) AS unreserved,
  l.<<day>> <<beyond>> date(now()) AS <<stale>>,
  CASE WHEN l.status = 'available' AND NOT l.<<day>> <<beyond>> date(now()) THEN l.quantity - coalesce(r.reserved, 0) ELSE 0 END AS free
FROM lot AS l LEFT JOIN (SELECT lot_id, sum(quantity) AS reserved FROM reservation GROUP BY lot_id) AS r ON r.lot_id = l.id;

CREATE VIEW <<bin>>_use AS
SELECT b.id AS <<bin>>_id, coalesce(u.used, 0) AS used, b.capacity - coalesce(u.used, 0) AS room, coalesce(u.lots, 0) AS lots
FROM <<bin>> AS b LEFT JOIN (SELECT <<bin>>_id, sum(quantity) AS used, sum(quantity > 0) AS lots FROM lot GROUP BY <<bin>>_id) AS u ON u.<<bin>>_id = b.id;

-- Free: can be promised now. Coming: outstanding on open purchase orders.
CREATE VIEW <<item>>_stock AS
SELECT t.id AS <<item>>_id, coalesce(s.on_hand, 0) AS on_hand, coalesce(s.free, 0) AS free, coalesce(p.coming, 0) AS coming,
  coalesce(s.free, 0) + coalesce(p.coming, 0) < t.reorder_level AS below_level
FROM <<item>> AS t
  LEFT JOIN (SELECT <<item>>_id, sum(quantity) AS on_hand, sum(free) AS free FROM lot JOIN lot_stock ON lot_id = lot.id GROUP BY <<item>>_id) AS s
    ON s.<<item>>_id = t.id
  LEFT JOIN (SELECT <<item>>_id, sum(ordered - received) AS coming FROM purchase_line AS pl JOIN purchase_order AS po ON po.id = pl.purchase_order_id
    WHERE po.status = 'open' GROUP BY <<item>>_id) AS p ON p.<<item>>_id = t.id;

CREATE VIEW line_stock AS
SELECT sl.id AS sales_line_id, coalesce(r.reserved, 0) AS reserved,
  CASE WHEN o.status IN ('draft', 'confirmed') THEN sl.quantity - coalesce(r.reserved, 0) ELSE 0 END AS missing
FROM sales_line AS sl JOIN sales_order AS o ON o.id = sl.sales_order_id
  LEFT JOIN (SELECT sales_line_id, sum(quantity) AS reserved FROM reservation GROUP BY sales_line_id) AS r ON r.sales_line_id = sl.id;

CREATE VIEW order_total AS
SELECT o.id AS sales_order_id, coalesce(t.lines, 0) AS lines, coalesce(t.units, 0) AS units, coalesce(t.cents, 0) AS cents, coalesce(t.reserved, 0) AS reserved,
  CASE WHEN o.status IN ('draft', 'confirmed') THEN coalesce(t.units - t.reserved, 0) ELSE 0 END AS missing, coalesce(t.has_<<z3>>, 0) AS has_<<z3>>
FROM sales_order AS o LEFT JOIN (
  SELECT sl.sales_order_id, count(*) AS lines, sum(sl.quantity) AS units, sum(sl.quantity * sl.unit_cents) AS cents, sum(coalesce(r.reserved, 0)) AS reserved,
    max(i.<<zone>> = '<<z3>>') AS has_<<z3>>
  FROM sales_line AS sl JOIN <<item>> AS i ON i.id = sl.<<item>>_id
    LEFT JOIN (SELECT sales_line_id, sum(quantity) AS reserved FROM reservation GROUP BY sales_line_id) AS r ON r.sales_line_id = sl.id
  GROUP BY sl.sales_order_id
) AS t ON t.sales_order_id = o.id;

CREATE VIEW invoice_balance AS
SELECT i.id AS invoice_id, o.customer_id, coalesce(p.paid, 0) AS paid_cents, i.cents - coalesce(p.paid, 0) AS owed_cents,
  i.status = 'open' AND i.due_on < date(now()) AS overdue
FROM invoice AS i JOIN sales_order AS o ON o.id = i.sales_order_id
  LEFT JOIN (SELECT invoice_id, sum(cents) AS paid FROM payment GROUP BY invoice_id) AS p ON p.invoice_id = i.id;

-- Confirmed: worth of the confirmed orders that have not been shipped. Left: what of the credit limit is neither owed nor confirmed.
CREATE VIEW customer_account AS
SELECT c.id AS customer_id, coalesce(b.owed, 0) AS owed_cents, coalesce(b.overdue, 0) AS overdue_cents, coalesce(o.confirmed, 0) AS confirmed_cents,
  c.credit_cents - coalesce(b.owed, 0) - coalesce(o.confirmed, 0) AS left_cents
FROM customer AS c
  LEFT JOIN (SELECT customer_id, sum(owed_cents) AS owed, sum(CASE WHEN overdue THEN owed_cents ELSE 0 END) AS overdue FROM invoice_balance GROUP BY customer_id) AS b
    ON b.customer_id = c.id
  LEFT JOIN (SELECT so.customer_id, sum(sl.quantity * sl.unit_cents) AS confirmed FROM sales_order AS so JOIN sales_line AS sl ON sl.sales_order_id = so.id
    WHERE so.status = 'confirmed' GROUP BY so.customer_id) AS o ON o.customer_id = c.id;

CREATE VIEW purchase_total AS
SELECT po.id AS purchase_order_id, count(pl.id) AS lines, coalesce(sum(pl.ordered * pl.unit_cents), 0) AS cents, coalesce(sum(pl.received), 0) AS received,
  coalesce(sum(CASE WHEN po.status = 'open' THEN pl.ordered - pl.received ELSE 0 END), 0) AS outstanding
FROM purchase_order AS po LEFT JOIN purchase_line AS pl ON pl.purchase_order_id = po.id
GROUP BY po.id;
