-- Staff, members, places ----------------------------------------------------------------------------------------------
CREATE TABLE staff (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('clerk', 'manager', 'steward')),
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;

CREATE TABLE level (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  discount_percent INTEGER NOT NULL CHECK (discount_percent BETWEEN 0 AND 50),
  hold_days INTEGER NOT NULL CHECK (hold_days BETWEEN 1 AND 30),
  free_exchange INTEGER NOT NULL CHECK (free_exchange IN (0, 1))
) STRICT;

CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL UNIQUE,
  level_id INTEGER REFERENCES level (id),
  member_until TEXT,
  access_needs INTEGER NOT NULL DEFAULT 0 CHECK (access_needs IN (0, 1)),
  CHECK ((level_id IS NULL) = (member_until IS NULL))
) STRICT;

CREATE TABLE <<hall>> (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE <<area>> (
  id INTEGER PRIMARY KEY,
  <<hall>>_id INTEGER NOT NULL REFERENCES <<hall>> (id),
  name TEXT NOT NULL UNIQUE,
  capacity INTEGER NOT NULL CHECK (capacity > 0),
  usual_price INTEGER NOT NULL CHECK (usual_price > 0)
) STRICT;

-- part <<seating>>
CREATE TABLE seat (
  id INTEGER PRIMARY KEY,
  <<area>>_id INTEGER NOT NULL REFERENCES <<area>> (id),
  label TEXT NOT NULL,
  aisle INTEGER NOT NULL CHECK (aisle IN (0, 1)),
  UNIQUE (<<area>>_id, label)
) STRICT;
-- end part

-- What is on ----------------------------------------------------------------------------------------------------------
CREATE TABLE <<show>> (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL UNIQUE,
  <<hall>>_id INTEGER NOT NULL REFERENCES <<hall>> (id),
  <<genre>> TEXT NOT NULL,
  refund_days INTEGER NOT NULL CHECK (refund_days BETWEEN 0 AND 21)
) STRICT;

CREATE TABLE <<perf>> (
  id INTEGER PRIMARY KEY,
  <<show>>_id INTEGER NOT NULL REFERENCES <<show>> (id),
  starts_at TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'on_sale' CHECK (status IN ('on_sale', 'stopped', 'cancelled')),
  reason TEXT,
  CHECK (status <> 'on_sale' OR reason IS NULL),
  UNIQUE (<<show>>_id, starts_at)
) STRICT;

CREATE TABLE price_band (
  id INTEGER PRIMARY KEY,
  <<perf>>_id INTEGER NOT NULL REFERENCES <<perf>> (id),
  <<area>>_id INTEGER NOT NULL REFERENCES <<area>> (id),
  price INTEGER NOT NULL CHECK (price > 0),
  places INTEGER NOT NULL CHECK (places >= 0),
  UNIQUE (<<perf>>_id, <<area>>_id)
) STRICT;

CREATE TABLE ticket_kind (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name IN ('adult', 'senior', 'student', 'child', 'companion')),
  percent_off INTEGER NOT NULL CHECK (percent_off BETWEEN 0 AND 100)
) STRICT;

CREATE TABLE group_rate (
  id INTEGER PRIMARY KEY,
  min_tickets INTEGER NOT NULL UNIQUE CHECK (min_tickets > 1),
  percent_off INTEGER NOT NULL CHECK (percent_off BETWEEN 1 AND 50)
) STRICT;

-- Selling -------------------------------------------------------------------------------------------------------------
CREATE TABLE booking (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  <<perf>>_id INTEGER NOT NULL REFERENCES <<perf>> (id),
  status TEXT NOT NULL CHECK (status IN ('held', 'paid', 'cancelled', 'refunded')),
  held_until TEXT,
  made_at TEXT NOT NULL,
  exchanged INTEGER NOT NULL DEFAULT 0 CHECK (exchanged IN (0, 1)),
  CHECK ((status = 'held') = (held_until IS NOT NULL))
) STRICT;

CREATE TABLE ticket (
  id INTEGER PRIMARY KEY,
  booking_id INTEGER NOT NULL REFERENCES booking (id),
  <<area>>_id INTEGER NOT NULL REFERENCES <<area>> (id),
-- part <<seating>>
  seat_id INTEGER REFERENCES seat (id),
-- end part
  kind_id INTEGER NOT NULL REFERENCES ticket_kind (id),
  price INTEGER NOT NULL CHECK (price >= 0),
  status TEXT NOT NULL DEFAULT 'valid' CHECK (status IN ('valid', 'scanned', 'void'))
) STRICT;

CREATE TABLE voucher (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  loaded INTEGER NOT NULL,
  balance INTEGER NOT NULL CHECK (balance >= 0),
  expires_on TEXT NOT NULL,
  blocked INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1))
) STRICT;

CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  booking_id INTEGER NOT NULL REFERENCES booking (id),
  kind TEXT NOT NULL CHECK (kind IN ('payment', 'refund', 'fee')),
  method TEXT NOT NULL CHECK (method IN ('card', 'cash', 'voucher', 'pass')),
  voucher_id INTEGER REFERENCES voucher (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  paid_at TEXT NOT NULL,
  staff_id INTEGER NOT NULL REFERENCES staff (id),
  CHECK ((method = 'voucher') = (voucher_id IS NOT NULL))
) STRICT;

CREATE TABLE waiting (
  id INTEGER PRIMARY KEY,
  <<perf>>_id INTEGER NOT NULL REFERENCES <<perf>> (id),
  <<area>>_id INTEGER NOT NULL REFERENCES <<area>> (id),
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  wanted INTEGER NOT NULL CHECK (wanted BETWEEN 1 AND 8),
  since TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'served', 'left'))
) STRICT;

-- part passes
CREATE TABLE <<pass>> (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  customer_id INTEGER NOT NULL REFERENCES customer (id),
  entries INTEGER NOT NULL CHECK (entries > 0),
  entries_left INTEGER NOT NULL CHECK (entries_left >= 0),
  valid_until TEXT NOT NULL,
  CHECK (entries_left <= entries)
) STRICT;

CREATE TABLE pass_entry (
  id INTEGER PRIMARY KEY,
  <<pass>>_id INTEGER NOT NULL REFERENCES <<pass>> (id),
  booking_id INTEGER NOT NULL REFERENCES booking (id),
  entries INTEGER NOT NULL CHECK (entries > 0),
  used_at TEXT NOT NULL
) STRICT;
-- end part

-- part rota
CREATE TABLE duty (
  id INTEGER PRIMARY KEY,
  <<perf>>_id INTEGER NOT NULL REFERENCES <<perf>> (id),
  staff_id INTEGER NOT NULL REFERENCES staff (id),
  post TEXT NOT NULL CHECK (post IN ('door', 'cloakroom', 'first aid', 'information')),
  UNIQUE (<<perf>>_id, staff_id),
  UNIQUE (<<perf>>_id, post)
) STRICT;
-- end part

CREATE INDEX ticket_of_booking ON ticket (booking_id);
CREATE INDEX booking_for_<<perf>> ON booking (<<perf>>_id);
CREATE INDEX booking_of_customer ON booking (customer_id);
CREATE INDEX payment_of_booking ON payment (booking_id);
CREATE INDEX payment_by_voucher ON payment (voucher_id);
CREATE INDEX voucher_of_customer ON voucher (customer_id);

-- Views ---------------------------------------------------------------------------------------------------------------
CREATE VIEW live_ticket AS
SELECT ticket.*, booking.<<perf>>_id, booking.customer_id, booking.status AS booking_status
FROM ticket JOIN booking ON booking.id = ticket.booking_id
WHERE ticket.status IN ('valid', 'scanned');

CREATE VIEW band_now AS
SELECT id, <<perf>>_id, <<area>>_id, price, places, taken, places - taken AS free
FROM (
  SELECT price_band.*,
    (SELECT count(*) FROM live_ticket AS t WHERE t.<<perf>>_id = price_band.<<perf>>_id AND t.<<area>>_id = price_band.<<area>>_id) AS taken
  FROM price_band
);

CREATE VIEW <<perf>>_now AS
SELECT p.id, p.<<show>>_id, s.title, s.<<hall>>_id, h.name AS <<hall>>, p.starts_at, p.status, p.reason,
  (SELECT coalesce(sum(free), 0) FROM band_now WHERE <<perf>>_id = p.id) AS free,
  (SELECT coalesce(sum(taken), 0) FROM band_now WHERE <<perf>>_id = p.id) AS taken,
  date(p.starts_at, '-' || s.refund_days || ' days') AS refund_until
FROM <<perf>> AS p JOIN <<show>> AS s ON s.id = p.<<show>>_id JOIN <<hall>> AS h ON h.id = s.<<hall>>_id;

CREATE VIEW booking_sum AS
SELECT id AS booking_id, tickets, total, paid, total - paid AS owed
FROM (
  SELECT id,
    (SELECT count(*) FROM live_ticket WHERE booking_id = booking.id) AS tickets,
    (SELECT coalesce(sum(price), 0) FROM live_ticket WHERE booking_id = booking.id) AS total,
    (SELECT coalesce(sum(CASE kind WHEN 'payment' THEN amount WHEN 'refund' THEN -amount ELSE 0 END), 0) FROM payment WHERE booking_id = booking.id) AS paid
  FROM booking
);

CREATE VIEW terms AS
SELECT c.id AS customer_id, c.name,
  coalesce(l.discount_percent, 0) AS discount_percent, coalesce(l.hold_days, 2) AS hold_days, coalesce(l.free_exchange, 0) AS free_exchange
FROM customer AS c LEFT JOIN level AS l ON l.id = c.level_id AND c.member_until >= date(now());

CREATE VIEW fair_price AS
SELECT ticket.id AS ticket_id, ticket.booking_id,
  price_band.price * (100 - ticket_kind.percent_off) / 100 * (100 - max(terms.discount_percent, coalesce((
    SELECT max(percent_off) FROM group_rate
    WHERE min_tickets <= (SELECT count(*) FROM ticket AS other WHERE other.booking_id = booking.id)), 0))) / 100 AS price
FROM ticket
JOIN booking ON booking.id = ticket.booking_id
JOIN ticket_kind ON ticket_kind.id = ticket.kind_id
JOIN terms ON terms.customer_id = booking.customer_id
JOIN price_band ON price_band.<<perf>>_id = booking.<<perf>>_id AND price_band.<<area>>_id = ticket.<<area>>_id;

-- What follows by itself ----------------------------------------------------------------------------------------------
CREATE TRIGGER booking_is_off AFTER UPDATE OF status ON booking WHEN new.status IN ('cancelled', 'refunded') AND old.status IN ('held', 'paid')
BEGIN
  UPDATE ticket SET status = 'void' WHERE booking_id = new.id AND status <> 'void';
  UPDATE voucher SET balance = balance + (
    SELECT sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END) FROM payment
    WHERE booking_id = new.id AND voucher_id = voucher.id AND kind <> 'fee')
  WHERE id IN (SELECT voucher_id FROM payment WHERE booking_id = new.id AND kind <> 'fee')
    AND (SELECT sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END) FROM payment WHERE booking_id = new.id AND kind <> 'fee') > 0;
  INSERT INTO payment (booking_id, kind, method, voucher_id, amount, paid_at, staff_id)
  SELECT new.id, 'refund', method, voucher_id, sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END), now(), me()
  FROM payment WHERE booking_id = new.id AND kind <> 'fee'
    AND (SELECT sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END) FROM payment WHERE booking_id = new.id AND kind <> 'fee') > 0
  GROUP BY method, voucher_id HAVING sum(CASE kind WHEN 'payment' THEN amount ELSE -amount END) > 0
  ORDER BY method, voucher_id;
END;

-- part rota
CREATE TRIGGER a_cancelled_<<perf>>_needs_nobody AFTER UPDATE OF reason ON <<perf>> WHEN new.status = 'cancelled'
BEGIN
  DELETE FROM duty WHERE <<perf>>_id = new.id;
END;

CREATE TRIGGER a_moved_<<perf>>_is_staffed_anew AFTER UPDATE OF starts_at ON <<perf>>
BEGIN
  DELETE FROM duty WHERE <<perf>>_id = new.id;
END;
-- end part

-- part <<seating>>
CREATE VIEW free_seat AS
SELECT seat.id, seat.<<area>>_id, seat.label, seat.aisle, booking.id AS booking_id
FROM booking JOIN seat
WHERE seat.id NOT IN (SELECT t.seat_id FROM live_ticket AS t WHERE t.seat_id IS NOT NULL AND t.<<perf>>_id = booking.<<perf>>_id);

CREATE TRIGGER new_ticket_takes_a_seat AFTER INSERT ON ticket WHEN new.seat_id IS NULL AND new.status <> 'void'
BEGIN
  UPDATE ticket SET seat_id = (SELECT min(id) FROM free_seat WHERE booking_id = new.booking_id AND <<area>>_id = new.<<area>>_id) WHERE id = new.id;
END;

CREATE TRIGGER moved_ticket_takes_a_seat AFTER UPDATE OF <<area>>_id ON ticket WHEN new.status = 'valid'
BEGIN
  UPDATE ticket SET seat_id = NULL WHERE id = new.id;
  UPDATE ticket SET seat_id = (SELECT min(id) FROM free_seat WHERE booking_id = new.booking_id AND <<area>>_id = new.<<area>>_id) WHERE id = new.id;
END;

CREATE TRIGGER revived_ticket_takes_a_seat AFTER UPDATE OF status ON ticket WHEN old.status = 'void' AND new.status = 'valid'
BEGIN
  UPDATE ticket SET seat_id = NULL WHERE id = new.id;
  UPDATE ticket SET seat_id = (SELECT min(id) FROM free_seat WHERE booking_id = new.booking_id AND <<area>>_id = new.<<area>>_id) WHERE id = new.id;
END;

CREATE TRIGGER exchanged_booking_gives_up_seats AFTER UPDATE OF <<perf>>_id ON booking
BEGIN
  UPDATE ticket SET seat_id = NULL WHERE booking_id = new.id AND status = 'valid';
END;
-- end part
