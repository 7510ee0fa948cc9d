-- Order desk of a wholesale depot for bicycle and e-bike parts. Money in euro cents, weights in grams.

CREATE TABLE staff (
  id      INTEGER PRIMARY KEY,
  name    TEXT    NOT NULL UNIQUE,
  role    TEXT    NOT NULL CHECK (role IN ('order_desk', 'warehouse', 'purchasing', 'accounts')),
  active  INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;

CREATE TABLE customer (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  city          TEXT    NOT NULL,
  tier          TEXT    NOT NULL CHECK (tier IN ('A', 'B', 'C')),
  credit_limit  INTEGER NOT NULL CHECK (credit_limit >= 0),
  payment_days  INTEGER NOT NULL CHECK (payment_days BETWEEN 7 AND 60),
  status        TEXT    NOT NULL CHECK (status IN ('active', 'on_hold', 'closed')),
  since         TEXT    NOT NULL
) STRICT;

CREATE TABLE contact (
  id           INTEGER PRIMARY KEY,
  customer_id  INTEGER NOT NULL REFERENCES customer (id),
  name         TEXT    NOT NULL,
  role         TEXT    NOT NULL CHECK (role IN ('owner', 'buyer', 'workshop', 'accounts')),
  phone        TEXT    NOT NULL,
  email        TEXT,
  may_order    INTEGER NOT NULL CHECK (may_order IN (0, 1)),
  UNIQUE (customer_id, name)
) STRICT;

CREATE TABLE address (
  id           INTEGER PRIMARY KEY,
  customer_id  INTEGER NOT NULL REFERENCES customer (id),
  label        TEXT    NOT NULL,
  street       TEXT    NOT NULL,
  postcode     TEXT    NOT NULL,
  city         TEXT    NOT NULL,
  country      TEXT    NOT NULL CHECK (country IN ('NL', 'BE', 'DE')),
  is_default   INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
  UNIQUE (customer_id, label)
) STRICT;

CREATE TABLE supplier (
  id         INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL UNIQUE,
  country    TEXT    NOT NULL,
  lead_days  INTEGER NOT NULL CHECK (lead_days > 0),                    -- from sending a purchase order to its arrival
  min_order  INTEGER NOT NULL CHECK (min_order >= 0)
) STRICT;

CREATE TABLE product (
  id             INTEGER PRIMARY KEY,
  sku            TEXT    NOT NULL UNIQUE,
  name           TEXT    NOT NULL,
  brand          TEXT    NOT NULL,
  category       TEXT    NOT NULL CHECK (category IN ('drivetrain', 'brakes', 'wheels', 'tyres', 'ebike', 'cockpit')),
  supplier_id    INTEGER NOT NULL REFERENCES supplier (id),
  list_price     INTEGER NOT NULL CHECK (list_price > 0),
  cost           INTEGER NOT NULL CHECK (cost > 0),
  grams          INTEGER NOT NULL CHECK (grams > 0),
  hazmat         INTEGER NOT NULL CHECK (hazmat IN (0, 1)),             -- lithium batteries: cage only, few carriers
  pack           INTEGER NOT NULL CHECK (pack > 0),                     -- bought in multiples of this
  reorder_point  INTEGER NOT NULL CHECK (reorder_point >= 0),
  status         TEXT    NOT NULL CHECK (status IN ('active', 'phase_out', 'discontinued')),
  replaced_by    INTEGER REFERENCES product (id),
  CHECK (status <> 'active' OR replaced_by IS NULL)
) STRICT;

CREATE TABLE promotion (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  product_id    INTEGER REFERENCES product (id),
  category      TEXT    CHECK (category IN ('drivetrain', 'brakes', 'wheels', 'tyres', 'ebike', 'cockpit')),
  percent       INTEGER NOT NULL CHECK (percent BETWEEN 1 AND 60),
  min_quantity  INTEGER NOT NULL CHECK (min_quantity > 0),
  starts_on     TEXT    NOT NULL,
  ends_on       TEXT    NOT NULL,
  CHECK (starts_on <= ends_on),
  CHECK ((product_id IS NULL) <> (category IS NULL))
) STRICT;

CREATE TABLE location (
  id        INTEGER PRIMARY KEY,
  code      TEXT    NOT NULL UNIQUE,
  zone      TEXT    NOT NULL CHECK (zone IN ('shelf', 'bulk', 'cage', 'quarantine')),
  capacity  INTEGER NOT NULL CHECK (capacity > 0)                       -- units
) STRICT;

CREATE TABLE purchase_order (
  id           INTEGER PRIMARY KEY,
  supplier_id  INTEGER NOT NULL REFERENCES supplier (id),
  status       TEXT    NOT NULL CHECK (status IN ('draft', 'sent', 'received', 'cancelled')),
  created_on   TEXT    NOT NULL,
  sent_on      TEXT,
  expected_on  TEXT,
  staff_id     INTEGER NOT NULL REFERENCES staff (id),
  note         TEXT,
  CHECK (status NOT IN ('sent', 'received') OR (sent_on IS NOT NULL AND expected_on IS NOT NULL))
) STRICT;

CREATE TABLE po_line (
  id                 INTEGER PRIMARY KEY,
  purchase_order_id  INTEGER NOT NULL REFERENCES purchase_order (id),
  product_id         INTEGER NOT NULL REFERENCES product (id),
  quantity           INTEGER NOT NULL CHECK (quantity > 0),
  received           INTEGER NOT NULL DEFAULT 0 CHECK (received >= 0),
  unit_cost          INTEGER NOT NULL CHECK (unit_cost > 0),
  UNIQUE (purchase_order_id, product_id)
) STRICT;

CREATE TABLE sales_order (
  id             INTEGER PRIMARY KEY,
  customer_id    INTEGER NOT NULL REFERENCES customer (id),
  contact_id     INTEGER NOT NULL REFERENCES contact (id),
  address_id     INTEGER NOT NULL REFERENCES address (id),
  status         TEXT    NOT NULL CHECK (status IN ('quote', 'draft', 'confirmed', 'completed', 'cancelled')),
  created_at     TEXT    NOT NULL,
  confirmed_at   TEXT,
  wanted_on      TEXT    NOT NULL,
  valid_until    TEXT,                                                  -- of quotes, kept once accepted
  reference      TEXT,                                                  -- the customer's own order number
  ship_complete  INTEGER NOT NULL DEFAULT 0 CHECK (ship_complete IN (0, 1)),
  staff_id       INTEGER NOT NULL REFERENCES staff (id),
  note           TEXT,
  CHECK (status <> 'quote' OR valid_until IS NOT NULL),
  CHECK (status NOT IN ('confirmed', 'completed') OR confirmed_at IS NOT NULL)
) STRICT;

CREATE TABLE order_line (
  id          INTEGER PRIMARY KEY,
  order_id    INTEGER NOT NULL REFERENCES sales_order (id),
  product_id  INTEGER NOT NULL REFERENCES product (id),
  quantity    INTEGER NOT NULL CHECK (quantity > 0),
  picked      INTEGER NOT NULL DEFAULT 0 CHECK (picked >= 0),           -- packed or handed over
  cancelled   INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
  unit_price  INTEGER NOT NULL CHECK (unit_price > 0),
  UNIQUE (order_id, product_id),
  CHECK (picked + cancelled <= quantity)
) STRICT;

CREATE TABLE reservation (
  order_line_id  INTEGER NOT NULL REFERENCES order_line (id),
  location_id    INTEGER NOT NULL REFERENCES location (id),
  quantity       INTEGER NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_line_id, location_id)
) STRICT;

CREATE TABLE carrier (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  cutoff        TEXT    NOT NULL,                                       -- 'HH:MM': what leaves today is ready by then
  max_grams     INTEGER NOT NULL CHECK (max_grams > 0),                 -- a shipment
  takes_hazmat  INTEGER NOT NULL CHECK (takes_hazmat IN (0, 1)),
  abroad        INTEGER NOT NULL CHECK (abroad IN (0, 1)),              -- also outside the Netherlands
  fee           INTEGER NOT NULL CHECK (fee >= 0)                       -- a shipment
) STRICT;

CREATE TABLE shipment (
  id          INTEGER PRIMARY KEY,
  order_id    INTEGER NOT NULL REFERENCES sales_order (id),
  carrier_id  INTEGER NOT NULL REFERENCES carrier (id),
  status      TEXT    NOT NULL CHECK (status IN ('packed', 'handed_over', 'cancelled')),
  ship_on     TEXT    NOT NULL,
  created_at  TEXT    NOT NULL,
  handed_at   TEXT,
  fee         INTEGER NOT NULL CHECK (fee >= 0),
  tracking    TEXT,
  CHECK ((status = 'handed_over') = (handed_at IS NOT NULL))
) STRICT;

CREATE TABLE rma (
  id             INTEGER PRIMARY KEY,
  shipment_id    INTEGER NOT NULL REFERENCES shipment (id),
  order_line_id  INTEGER NOT NULL REFERENCES order_line (id),
  quantity       INTEGER NOT NULL CHECK (quantity > 0),
  reason         TEXT    NOT NULL CHECK (reason IN ('faulty', 'damaged', 'wrong_item', 'not_needed')),
  status         TEXT    NOT NULL CHECK (status IN ('open', 'received', 'credited', 'rejected', 'cancelled')),
  opened_on      TEXT    NOT NULL,
  verdict        TEXT    CHECK (verdict IN ('restock', 'scrap', 'send_back')),
  note           TEXT,
  CHECK ((status IN ('credited', 'rejected')) = (verdict IS NOT NULL))
) STRICT;

-- The stock is what its movements add up to (view stock).
CREATE TABLE movement (
  id             INTEGER PRIMARY KEY,
  product_id     INTEGER NOT NULL REFERENCES product (id),
  location_id    INTEGER NOT NULL REFERENCES location (id),
  delta          INTEGER NOT NULL CHECK (delta <> 0),
  kind           TEXT    NOT NULL CHECK (kind IN ('opening', 'receipt', 'ship', 'transfer', 'return', 'scrap', 'count')),
  at             TEXT    NOT NULL,
  staff_id       INTEGER NOT NULL REFERENCES staff (id),
  po_line_id     INTEGER REFERENCES po_line (id),
  order_line_id  INTEGER REFERENCES order_line (id),
  shipment_id    INTEGER REFERENCES shipment (id),
  rma_id         INTEGER REFERENCES rma (id),
  note           TEXT,
  CHECK ((kind = 'receipt') = (po_line_id IS NOT NULL)),
  CHECK ((kind = 'ship') = (order_line_id IS NOT NULL)),
  CHECK ((kind = 'ship') = (shipment_id IS NOT NULL)),
  CHECK (rma_id IS NULL OR kind IN ('return', 'transfer', 'scrap'))
) STRICT;

-- Invoices, and what is set against them: credit notes and payments.
CREATE TABLE ledger (
  id           INTEGER PRIMARY KEY,
  customer_id  INTEGER NOT NULL REFERENCES customer (id),
  kind         TEXT    NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'payment')),
  amount       INTEGER NOT NULL CHECK (amount > 0),
  posted_on    TEXT    NOT NULL,
  due_on       TEXT,
  invoice_id   INTEGER REFERENCES ledger (id),
  shipment_id  INTEGER UNIQUE REFERENCES shipment (id),
  rma_id       INTEGER UNIQUE REFERENCES rma (id),
  method       TEXT    CHECK (method IN ('bank', 'card', 'cash')),
  reference    TEXT,
  CHECK ((kind = 'invoice') = (invoice_id IS NULL)),
  CHECK ((kind = 'invoice') = (shipment_id IS NOT NULL)),
  CHECK ((kind = 'invoice') = (due_on IS NOT NULL)),
  CHECK ((kind = 'credit_note') = (rma_id IS NOT NULL)),
  CHECK ((kind = 'payment') = (method IS NOT NULL))
) STRICT;

CREATE INDEX movement_of_product ON movement (product_id, location_id);
CREATE INDEX movement_of_shipment ON movement (shipment_id);
CREATE INDEX movement_of_order_line ON movement (order_line_id);
CREATE INDEX order_line_of_order ON order_line (order_id);
CREATE INDEX ledger_of_invoice ON ledger (invoice_id);

-- What lies where, what of it is promised to orders, and what is still free for them (nothing in quarantine is).
CREATE VIEW stock AS
SELECT s.product_id, s.location_id, location.code, location.zone, s.quantity, s.reserved,
  CASE location.zone WHEN 'quarantine' THEN 0 ELSE s.quantity - s.reserved END AS free
FROM (
  SELECT movement.product_id, movement.location_id, sum(movement.delta) AS quantity,
    coalesce((SELECT sum(r.quantity) FROM reservation AS r JOIN order_line AS l ON l.id = r.order_line_id
      WHERE r.location_id = movement.location_id AND l.product_id = movement.product_id), 0) AS reserved
  FROM movement GROUP BY movement.product_id, movement.location_id
) AS s JOIN location ON location.id = s.location_id;

CREATE VIEW location_space AS
SELECT id AS location_id, code, zone, capacity,
  coalesce((SELECT sum(delta) FROM movement WHERE location_id = location.id), 0) AS used,
  capacity - coalesce((SELECT sum(delta) FROM movement WHERE location_id = location.id), 0) AS space
FROM location;

-- What is left to do on each order line: open = ordered, neither picked nor cancelled; waiting = open, not reserved.
CREATE VIEW line_state AS
SELECT l.id AS order_line_id, l.order_id, o.customer_id, o.status AS order_status, l.product_id, l.quantity, l.picked, l.cancelled, l.unit_price,
  l.quantity - l.picked - l.cancelled AS open,
  coalesce((SELECT sum(quantity) FROM reservation WHERE order_line_id = l.id), 0) AS reserved,
  l.quantity - l.picked - l.cancelled - coalesce((SELECT sum(quantity) FROM reservation WHERE order_line_id = l.id), 0) AS waiting
FROM order_line AS l JOIN sales_order AS o ON o.id = l.order_id;

CREATE VIEW product_state AS
SELECT p.id AS product_id,
  coalesce((SELECT sum(quantity) FROM stock WHERE product_id = p.id), 0) AS on_hand,
  coalesce((SELECT sum(reserved) FROM stock WHERE product_id = p.id), 0) AS reserved,
  coalesce((SELECT sum(free) FROM stock WHERE product_id = p.id), 0) AS free,
  coalesce((SELECT sum(waiting) FROM line_state WHERE product_id = p.id AND order_status = 'confirmed'), 0) AS waiting,
  coalesce((SELECT sum(l.quantity - l.received) FROM po_line AS l JOIN purchase_order AS o ON o.id = l.purchase_order_id
    WHERE l.product_id = p.id AND o.status = 'sent'), 0) AS on_order
FROM product AS p;

-- Every price a customer can get for a product: the tier's, and those of promotions in their days and quantities.
CREATE VIEW price_break AS
SELECT c.id AS customer_id, p.id AS product_id, NULL AS promotion_id, 1 AS min_quantity,
  '0001-01-01' AS starts_on, '9999-12-31' AS ends_on,
  CASE c.tier WHEN 'A' THEN 12 WHEN 'B' THEN 6 ELSE 0 END AS percent,
  (p.list_price * (100 - CASE c.tier WHEN 'A' THEN 12 WHEN 'B' THEN 6 ELSE 0 END) + 50) / 100 AS unit_price
FROM customer AS c CROSS JOIN product AS p
UNION ALL
SELECT c.id, p.id, m.id, m.min_quantity, m.starts_on, m.ends_on, m.percent, (p.list_price * (100 - m.percent) + 50) / 100
FROM customer AS c CROSS JOIN promotion AS m JOIN product AS p ON p.id = m.product_id OR p.category = m.category;

CREATE VIEW shipment_total AS
SELECT s.id AS shipment_id, s.order_id, s.status,
  coalesce((SELECT sum(-m.delta) FROM movement AS m WHERE m.shipment_id = s.id), 0) AS units,
  coalesce((SELECT sum(-m.delta * p.grams) FROM movement AS m JOIN product AS p ON p.id = m.product_id WHERE m.shipment_id = s.id), 0) AS grams,
  coalesce((SELECT sum(-m.delta * l.unit_price) FROM movement AS m JOIN order_line AS l ON l.id = m.order_line_id WHERE m.shipment_id = s.id), 0) AS goods
FROM shipment AS s;

CREATE VIEW invoice_balance AS
SELECT i.id AS invoice_id, i.customer_id, i.shipment_id, i.posted_on, i.due_on, i.amount,
  coalesce((SELECT sum(amount) FROM ledger WHERE invoice_id = i.id AND kind = 'credit_note'), 0) AS credited,
  coalesce((SELECT sum(amount) FROM ledger WHERE invoice_id = i.id AND kind = 'payment'), 0) AS paid,
  i.amount - coalesce((SELECT sum(amount) FROM ledger WHERE invoice_id = i.id), 0) AS open
FROM ledger AS i WHERE i.kind = 'invoice';

-- What a customer owes or will owe: open invoices, goods packed but not invoiced, and confirmed orders still to be packed.
CREATE VIEW customer_credit AS
SELECT id AS customer_id, credit_limit, open_invoices, packed, open_orders,
  open_invoices + packed + open_orders AS exposure, credit_limit - open_invoices - packed - open_orders AS credit_free
FROM (
  SELECT c.id, c.credit_limit,
    coalesce((SELECT sum(max(open, 0)) FROM invoice_balance WHERE customer_id = c.id), 0) AS open_invoices,
    coalesce((SELECT sum(t.goods + s.fee) FROM shipment AS s JOIN shipment_total AS t ON t.shipment_id = s.id
      JOIN sales_order AS o ON o.id = s.order_id WHERE o.customer_id = c.id AND s.status = 'packed'), 0) AS packed,
    coalesce((SELECT sum(open * unit_price) FROM line_state WHERE customer_id = c.id AND order_status = 'confirmed'), 0) AS open_orders
  FROM customer AS c
);
